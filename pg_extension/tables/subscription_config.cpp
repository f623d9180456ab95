// Query at the start, decoded rows afterwards.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/subscription_config.hpp"

namespace fanout::plugin {

namespace {

struct TextList {
    const char** items;
    int count;
};

TextList texts_of(Datum array) {
    Datum* elements = nullptr;
    bool* nulls = nullptr;
    int count = 0;
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements,
                      &nulls, &count);
    TextList list{static_cast<const char**>(palloc(sizeof(char*) * Max(count, 1))), 0};
    for (int i = 0; i < count; ++i) {
        if (!nulls[i]) list.items[list.count++] = TextDatumGetCString(elements[i]);
    }
    return list;
}

/// The columns of fanout.subscription_def that matter here, of one row version.
struct ConfigRow {
    Datum id, stream, owner, tables;
    bool has_id, has_stream, has_owner, has_tables, tables_unchanged;
    bool via_root, options_unchanged;
};

bool has_via_root(Datum options) {
    Jsonb* object = DatumGetJsonbP(options);
    JsonbValue value;
    if (!JB_ROOT_IS_OBJECT(object)) return false;
    return getKeyJsonValueFromContainer(&object->root, "via_root", 8, &value) != nullptr &&
           value.type == jbvBool && value.val.boolean;
}

ConfigRow read_row(TupleDesc shape, HeapTuple tuple) {
    ConfigRow row{};
    if (tuple == nullptr) return row;
    for (int i = 0; i < shape->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (attribute->attisdropped) continue;
        bool is_null = false;
        const Datum value = heap_getattr(tuple, i + 1, shape, &is_null);
        if (is_null) continue;
        const char* name = NameStr(attribute->attname);
        if (strcmp(name, "id") == 0) {
            row.id = value;
            row.has_id = true;
        } else if (strcmp(name, "stream_id") == 0) {
            row.stream = value;
            row.has_stream = true;
        } else if (strcmp(name, "owner") == 0) {
            row.owner = value;
            row.has_owner = true;
        } else if (strcmp(name, "options") == 0) {
            row.options_unchanged = VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value));
            row.via_root = !row.options_unchanged && has_via_root(value);
        } else if (strcmp(name, "tables") == 0) {
            row.tables_unchanged = VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value));
            row.tables = value;
            row.has_tables = !row.tables_unchanged;
        }
    }
    return row;
}

void write_message(StringInfo out, const char* op, uint32 id, const char* owner,
                   const TextList* tables) {
    appendStringInfo(out, "{\"op\":\"%s\",\"id\":%u", op, id);
    if (owner != nullptr) {
        appendStringInfoString(out, ",\"owner\":");
        escape_json(out, owner);
    }
    if (tables != nullptr) {
        appendStringInfoString(out, ",\"tables\":[");
        for (int i = 0; i < tables->count; ++i) {
            if (i > 0) appendStringInfoChar(out, ',');
            escape_json(out, tables->items[i]);
        }
        appendStringInfoChar(out, ']');
    }
    appendStringInfoChar(out, '}');
}

/// Inside SPI.
void load_mask_secret(TableFilter* filter) {
    const int result = SPI_execute("SELECT secret FROM fanout.mask_secret", true, 1);
    if (result != SPI_OK_SELECT) {
        elog(ERROR, "could not read fanout.mask_secret: %s", SPI_result_code_string(result));
    }
    if (SPI_processed == 0) return;
    bool is_null = false;
    const Datum secret = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
    if (!is_null) set_mask_secret(filter, DatumGetByteaPP(secret));
}

}  // namespace

void load_subscriptions(TableFilter* filter, int32 stream_id) {
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    Oid types[] = {INT4OID};
    Datum values[] = {Int32GetDatum(stream_id)};
    const int result = SPI_execute_with_args(
        "SELECT id::int4, owner::text, tables::text[], options @> '{\"via_root\": true}'"
        " FROM fanout.subscription_def"
        " WHERE stream_id = $1 ORDER BY id",
        1, types, values, nullptr, true, 0);
    if (result != SPI_OK_SELECT) {
        elog(ERROR, "could not read fanout.subscription_def: %s", SPI_result_code_string(result));
    }
    TupleDesc shape = SPI_tuptable->tupdesc;
    for (uint64 i = 0; i < SPI_processed; ++i) {
        HeapTuple row = SPI_tuptable->vals[i];
        bool is_null = false;
        const auto id = static_cast<uint32>(DatumGetInt32(SPI_getbinval(row, shape, 1, &is_null)));
        const char* owner = SPI_getvalue(row, shape, 2);
        const Datum tables = SPI_getbinval(row, shape, 3, &is_null);
        const TextList list = is_null ? TextList{nullptr, 0} : texts_of(tables);
        const bool via_root = DatumGetBool(SPI_getbinval(row, shape, 4, &is_null)) && !is_null;
        put_subscription(filter, id, {owner != nullptr ? owner : "", via_root}, list.items,
                         list.count);
    }
    load_mask_secret(filter);
    SPI_finish();
    PopActiveSnapshot();
    CommitTransactionCommand();
}

void apply_secret_change(TableFilter* filter, Relation relation,
                         const ReorderBufferChange* change) {
    TupleDesc shape = RelationGetDescr(relation);
    HeapTuple tuple = server::new_tuple(change);
    set_mask_secret(filter, nullptr);
    for (int i = 0; tuple != nullptr && i < shape->natts; ++i) {
        if (strcmp(NameStr(TupleDescAttr(shape, i)->attname), "secret") != 0) continue;
        bool is_null = false;
        const Datum secret = heap_getattr(tuple, i + 1, shape, &is_null);
        if (!is_null) set_mask_secret(filter, DatumGetByteaPP(secret));
    }
}

bool apply_subscription_change(TableFilter* filter, int32 stream_id, Relation relation,
                               const ReorderBufferChange* change, StringInfo message) {
    TupleDesc shape = RelationGetDescr(relation);
    if (change->action == REORDER_BUFFER_CHANGE_DELETE) {
        const ConfigRow gone = read_row(shape, server::old_tuple(change));
        if (!gone.has_id) return false;
        const auto id = static_cast<uint32>(DatumGetInt32(gone.id));
        if (!has_subscription(filter, id)) return false;
        drop_subscription(filter, id);
        write_message(message, "drop", id, nullptr, nullptr);
        return true;
    }
    const ConfigRow row = read_row(shape, server::new_tuple(change));
    if (!row.has_id || !row.has_stream || DatumGetInt32(row.stream) != stream_id) return false;
    const auto id = static_cast<uint32>(DatumGetInt32(row.id));
    const char* owner = row.has_owner ? NameStr(*DatumGetName(row.owner)) : "";
    const bool insert = change->action == REORDER_BUFFER_CHANGE_INSERT;
    if (row.tables_unchanged) {
        set_owner(filter, id, owner);
        write_message(message, "change", id, owner, nullptr);
        return true;
    }
    const TextList tables = row.has_tables ? texts_of(row.tables) : TextList{nullptr, 0};
    // A TOASTed value that did not change is not in the WAL.
    const bool via_root = row.options_unchanged ? is_via_root(filter, id) : row.via_root;
    put_subscription(filter, id, {owner, via_root}, tables.items, tables.count);
    write_message(message, insert ? "add" : "change", id, owner, &tables);
    return true;
}

}  // namespace fanout::plugin
