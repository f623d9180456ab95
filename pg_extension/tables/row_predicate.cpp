// Check, compile, evaluate.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/row_predicate.hpp"

namespace fanout::plugin {

namespace {

[[noreturn]] void refuse(const char* text, const char* reason) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("the predicate %s cannot be used", text), errdetail("%s", reason),
             errhint("Only columns, constants, built-in operators, types and collations, and "
                     "immutable built-in functions are allowed, as in a publication's WHERE.")));
    pg_unreachable();
}

/// The one expression that `text` is. It must not get out of its place in "SELECT <text>".
Node* parse_expression(const char* text) {
    List* statements = server::parse_statements(psprintf("SELECT %s", text));
    if (list_length(statements) != 1) refuse(text, "It is not one expression.");
    Node* statement = linitial_node(RawStmt, statements)->stmt;
    if (!IsA(statement, SelectStmt)) refuse(text, "It is not one expression.");
    auto* select = reinterpret_cast<SelectStmt*>(statement);
    const bool more = select->distinctClause != NIL || select->intoClause != nullptr ||
                      select->fromClause != NIL || select->whereClause != nullptr ||
                      select->groupClause != NIL || select->havingClause != nullptr ||
                      select->windowClause != NIL || select->valuesLists != NIL ||
                      select->sortClause != NIL || select->limitOffset != nullptr ||
                      select->limitCount != nullptr || select->lockingClause != NIL ||
                      select->withClause != nullptr || select->op != SETOP_NONE;
    if (more || list_length(select->targetList) != 1) refuse(text, "It is not one expression.");
    auto* target = linitial_node(ResTarget, select->targetList);
    if (target->name != nullptr) refuse(text, "It is not one expression.");
    return target->val;
}

bool is_foreign_function(Oid function, void*) {
    return func_volatile(function) != PROVOLATILE_IMMUTABLE || function >= FirstNormalObjectId;
}

struct Walk {
    const char* text;
    Bitmapset* columns;
};

void take_column(Walk* walk, const Var* column) {
    if (column->varattno < InvalidAttrNumber) refuse(walk->text, "It uses a system column.");
    if (column->varattno == InvalidAttrNumber) refuse(walk->text, "It uses the whole row.");
    walk->columns = bms_add_member(walk->columns, column->varattno - 1);
}

/// The kinds of nodes that publications allow.
bool walk_node(Node* node, void* state) {
    if (node == nullptr) return false;
    auto* walk = static_cast<Walk*>(state);
    switch (nodeTag(node)) {
        case T_Var:
            take_column(walk, reinterpret_cast<Var*>(node));
            break;
        case T_OpExpr:
        case T_DistinctExpr:
        case T_NullIfExpr:
        case T_ScalarArrayOpExpr:
        case T_Const:
        case T_FuncExpr:
        case T_BoolExpr:
        case T_RelabelType:
        case T_CollateExpr:
        case T_CaseExpr:
        case T_CaseTestExpr:
        case T_CaseWhen:
        case T_ArrayExpr:
        case T_RowExpr:
        case T_CoalesceExpr:
        case T_MinMaxExpr:
        case T_XmlExpr:
        case T_NullTest:
        case T_BooleanTest:
        case T_List:
            break;
        default:
            refuse(walk->text, "It uses a sub-select or another construct that is not allowed.");
    }
    if (!IsA(node, List) && !IsA(node, CaseWhen)) {
        if (exprType(node) >= FirstNormalObjectId) refuse(walk->text, "It uses a user's type.");
        if (exprCollation(node) >= FirstNormalObjectId ||
            exprInputCollation(node) >= FirstNormalObjectId) {
            refuse(walk->text, "It uses a user's collation.");
        }
    }
    if (check_functions_in_node(node, is_foreign_function, nullptr)) {
        refuse(walk->text, "It uses a function that is a user's or is not immutable.");
    }
    return server::walk_children(node, walk_node, state);
}

bool lacks_value(const RowPredicate* predicate, const Datum* values, const bool* nulls) {
    TupleDesc shape = predicate->slot->tts_tupleDescriptor;
    for (int i = -1; (i = bms_next_member(predicate->columns, i)) >= 0;) {
        if (nulls[i] || TupleDescAttr(shape, i)->attlen != -1) continue;
        if (VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(values[i]))) return true;
    }
    return false;
}

}  // namespace

bool is_of_the_row(int sqlstate) {
    const int category = ERRCODE_TO_CATEGORY(sqlstate);
    return category != ERRCODE_INSUFFICIENT_RESOURCES &&
           category != ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED) &&
           category != ERRCODE_TO_CATEGORY(ERRCODE_IO_ERROR) &&
           sqlstate != ERRCODE_DATA_CORRUPTED && sqlstate != ERRCODE_INDEX_CORRUPTED;
}

CheckedExpression check_predicate(Relation relation, const char* text) {
    Node* parsed = parse_expression(text);
    ParseState* state = make_parsestate(nullptr);
    ParseNamespaceItem* item =
        addRangeTableEntryForRelation(state, relation, AccessShareLock, nullptr, false, false);
    addNSItemToQuery(state, item, false, true, true);
    Node* node = transformWhereClause(state, parsed, EXPR_KIND_WHERE, "WHERE");
    assign_expr_collations(state, node);
    Walk walk{text, nullptr};
    (void)walk_node(node, &walk);
    free_parsestate(state);
    return {node, walk.columns};
}

char* predicate_text(Relation relation, const CheckedExpression& checked) {
    List* names =
        deparse_context_for(RelationGetRelationName(relation), RelationGetRelid(relation));
    return deparse_expression(checked.node, names, false, false);
}

RowPredicate* compile_predicate(Relation relation, const CheckedExpression& checked) {
    auto* predicate = static_cast<RowPredicate*>(palloc0(sizeof(RowPredicate)));
    predicate->columns = bms_copy(checked.columns);
    EState* executor = CreateExecutorState();
    predicate->context = CreateExprContext(executor);
    predicate->state = ExecPrepareExpr(reinterpret_cast<Expr*>(checked.node), executor);
    predicate->slot =
        MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(relation)), &TTSOpsVirtual);
    return predicate;
}

Truth holds(RowPredicate* predicate, const Datum* values, const bool* nulls) {
    if (lacks_value(predicate, values, nulls)) {
        predicate->error = "it needs a TOASTed value that the WAL does not have";
        return Truth::unknown;
    }
    TupleTableSlot* slot = predicate->slot;
    ExecClearTuple(slot);
    const auto columns = static_cast<Size>(slot->tts_tupleDescriptor->natts);
    memcpy(slot->tts_values, values, columns * sizeof(Datum));
    memcpy(slot->tts_isnull, nulls, columns * sizeof(bool));
    ExecStoreVirtualTuple(slot);
    predicate->context->ecxt_scantuple = slot;
    MemoryContext caller = CurrentMemoryContext;
    volatile Truth truth = Truth::no;
    PG_TRY();
    {
        bool is_null = false;
        const Datum result =
            ExecEvalExprSwitchContext(predicate->state, predicate->context, &is_null);
        if (!is_null && DatumGetBool(result)) truth = Truth::yes;
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        ErrorData* error = CopyErrorData();
        if (!is_of_the_row(error->sqlerrcode)) PG_RE_THROW();
        // Built-in immutable functions hold nothing that outlives the transaction, which decoding
        // always ends by an abort.
        FlushErrorState();
        predicate->error = error->message != nullptr ? error->message : "";
        truth = Truth::unknown;
    }
    PG_END_TRY();
    ResetExprContext(predicate->context);
    return truth;
}

}  // namespace fanout::plugin
