// Shapes of tables now and earlier in this transaction, for the event triggers that record schema
// changes.
//
// "Earlier" is a snapshot of this instant in which our own commands count only as far as they had
// come when the relation was recorded last. What others have committed is the same in both: the
// relation is locked against their schema changes. Runs in the backend of whoever changes a schema.
#include "pg_extension/pg_version.hpp"

namespace {

struct RecordedShape {
    Oid relation;  // key
    CommandId found_at;
    CommandId recorded_at;
};

// Of the transaction in progress; its memory context takes it away.
HTAB* recorded = nullptr;

void forget_at_end_of_transaction() {
    auto* reset = static_cast<MemoryContextCallback*>(
        MemoryContextAllocZero(TopTransactionContext, sizeof(MemoryContextCallback)));
    reset->func = [](void*) { recorded = nullptr; };
    MemoryContextRegisterResetCallback(TopTransactionContext, reset);
}

RecordedShape* recorded_shape(Oid relation) {
    if (recorded == nullptr) {
        HASHCTL control{};
        control.keysize = sizeof(Oid);
        control.entrysize = sizeof(RecordedShape);
        control.hcxt = TopTransactionContext;
        HTAB* made = hash_create("pg_fanout recorded shapes", 16, &control,
                                 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
        forget_at_end_of_transaction();
        recorded = made;
    }
    bool found = false;
    auto* shape = static_cast<RecordedShape*>(hash_search(recorded, &relation, HASH_ENTER, &found));
    if (!found) shape->found_at = shape->recorded_at = FirstCommandId;
    return shape;
}

Oid catalog_shape_function() {
    const Oid types[] = {OIDOID};
    List* name = list_make2(makeString(pstrdup("fanout")), makeString(pstrdup("_catalog_shape")));
    return LookupFuncName(name, 1, types, false);
}

}  // namespace

FANOUT_SQL_FUNCTION(fanout_shape) {
    const Oid relation = PG_GETARG_OID(0);
    const bool earlier = PG_GETARG_BOOL(1);
    RecordedShape* shape = recorded_shape(relation);
    const Oid function = catalog_shape_function();
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    if (!earlier) shape->found_at = GetCurrentCommandId(false);
    snapshot->curcid = earlier ? shape->recorded_at : shape->found_at;
    PushActiveSnapshot(snapshot);
    FmgrInfo call;
    fmgr_info(function, &call);
    LOCAL_FCINFO(arguments, 1);
    InitFunctionCallInfoData(*arguments, &call, 1, InvalidOid, nullptr, nullptr);
    arguments->args[0].value = ObjectIdGetDatum(relation);
    arguments->args[0].isnull = false;
    const Datum found = FunctionCallInvoke(arguments);
    PopActiveSnapshot();
    UnregisterSnapshot(snapshot);
    if (arguments->isnull) PG_RETURN_NULL();
    PG_RETURN_DATUM(found);
}

FANOUT_SQL_FUNCTION(fanout_shape_recorded) {
    RecordedShape* shape = recorded_shape(PG_GETARG_OID(0));
    shape->recorded_at = shape->found_at;
    PG_RETURN_VOID();
}
