// How the entries of a subscription's list of tables apply to a table, for SQL.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/lineage.hpp"
#include "pg_extension/tables/projection.hpp"
#include "pg_extension/values/utf8_text.hpp"

using namespace fanout::plugin;

namespace {

const char* const* texts_of(ArrayType* array, int* count) {
    Datum* elements = nullptr;
    bool* nulls = nullptr;
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, count);
    auto** texts = static_cast<const char**>(palloc(sizeof(char*) * static_cast<Size>(*count + 1)));
    for (int i = 0; i < *count; ++i)
        texts[i] = nulls[i] ? "" : TextDatumGetCString(elements[i]);
    return texts;
}

Datum column_names(Relation relation, const Bitmapset* columns) {
    TupleDesc shape = RelationGetDescr(relation);
    auto* names = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(shape->natts + 1)));
    int count = 0;
    for (int i = -1; (i = bms_next_member(columns, i)) >= 0;)
        names[count++] = CStringGetTextDatum(NameStr(TupleDescAttr(shape, i - 1)->attname));
    return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

}  // namespace

namespace {

const char* mask_name(MaskKind kind) {
    switch (kind) {
        case MaskKind::null:
            return "null";
        case MaskKind::redact:
            return "redact";
        case MaskKind::hash:
            return "hash";
        case MaskKind::last4:
            return "last4";
    }
    return "";
}

Datum masks_json(const TableEntry& entry) {
    StringInfoData text;
    initStringInfo(&text);
    for (int i = 0; i < entry.mask_count; ++i) {
        appendStringInfoString(&text, i == 0 ? "{" : ",");
        escape_json(&text, entry.masks[i].column);
        appendStringInfo(&text, ":\"%s\"", mask_name(entry.masks[i].kind));
    }
    appendStringInfoChar(&text, '}');
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

}  // namespace

namespace {

TableEntry* entries_of(const char* const* texts, int count) {
    auto* entries =
        static_cast<TableEntry*>(palloc0(sizeof(TableEntry) * static_cast<Size>(count + 1)));
    for (int i = 0; i < count; ++i)
        parse_table_entry(texts[i], &entries[i]);
    return entries;
}

}  // namespace

FANOUT_SQL_FUNCTION(fanout_carried_as) {
    int count = 0;
    const char* const* texts = texts_of(PG_GETARG_ARRAYTYPE_P(0), &count);
    const Oid table = PG_GETARG_OID(2);
    TupleDesc shape = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE) {
        elog(ERROR, "the function is not declared to return a row");
    }
    Datum values[2] = {};
    bool nulls[2] = {true, true};
    const char* name = get_rel_name(table);
    const char* schema = name != nullptr ? get_namespace_name(get_rel_namespace(table)) : nullptr;
    if (schema != nullptr) {
        const Lineage lineage = lineage_of(table, get_rel_relispartition(table), schema, name);
        const Decision decision =
            decide(entries_of(texts, count), count, PG_GETARG_BOOL(1), lineage);
        if (decision.entry >= 0) {
            values[0] = ObjectIdGetDatum(lineage.tables[decision.carrier].oid);
            values[1] = CStringGetTextDatum(texts[decision.entry]);
            nulls[0] = nulls[1] = false;
        }
    }
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}

FANOUT_SQL_FUNCTION(fanout_why_not_as) {
    Relation partition = table_open(PG_GETARG_OID(0), AccessShareLock);
    Relation above = table_open(PG_GETARG_OID(1), AccessShareLock);
    const char* reason = why_not_as(partition, above);
    text* shown = reason != nullptr ? cstring_to_text(reason) : nullptr;
    table_close(above, AccessShareLock);
    table_close(partition, AccessShareLock);
    if (shown == nullptr) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(shown);
}

FANOUT_SQL_FUNCTION(fanout_entry_for) {
    TableEntry entry;
    parse_table_entry(text_to_cstring(PG_GETARG_TEXT_PP(0)), &entry);
    TupleDesc shape = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE) {
        elog(ERROR, "the function is not declared to return a row");
    }
    Relation relation = table_open(PG_GETARG_OID(1), AccessShareLock);
    Datum values[3] = {};
    bool nulls[3] = {true, true, true};
    const Bitmapset* columns = check_columns(relation, entry);
    if (columns != nullptr) {
        values[0] = column_names(relation, columns);
        nulls[0] = false;
    }
    if (entry.where != nullptr) {
        const CheckedExpression checked = check_predicate(relation, entry.where);
        check_predicate_columns(relation, checked.columns);
        (void)compile_predicate(relation, checked);
        values[1] = CStringGetTextDatum(predicate_text(relation, checked));
        nulls[1] = false;
    }
    if (check_masks(relation, entry) != nullptr) {
        values[2] = masks_json(entry);
        nulls[2] = false;
    }
    table_close(relation, AccessShareLock);
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}

FANOUT_SQL_FUNCTION(fanout_check_predicate) {
    if (PG_ARGISNULL(1)) PG_RETURN_NULL();
    if (PG_ARGISNULL(0)) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("the table of a predicate does not exist")));
    }
    Relation relation = table_open(PG_GETARG_OID(0), AccessShareLock);
    const CheckedExpression checked =
        check_predicate(relation, text_to_cstring(PG_GETARG_TEXT_PP(1)));
    (void)compile_predicate(relation, checked);
    text* shown = cstring_to_text(predicate_text(relation, checked));
    table_close(relation, AccessShareLock);
    PG_RETURN_TEXT_P(shown);
}

FANOUT_SQL_FUNCTION(fanout_utf8) {
    const struct varlena* stored = PG_GETARG_VARLENA_PP(0);
    const Utf8Text shown = to_utf8(VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored));
    auto* bytes = static_cast<bytea*>(palloc(VARHDRSZ + shown.size));
    SET_VARSIZE(bytes, VARHDRSZ + shown.size);
    memcpy(VARDATA(bytes), shown.data, shown.size);
    PG_RETURN_BYTEA_P(bytes);
}
