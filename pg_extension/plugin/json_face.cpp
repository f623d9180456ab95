// Changes as JSON text. Values go through their types' output functions, except bytea, whose
// output function cannot carry the largest values that can be stored.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/pg_version.hpp"
#include "pg_extension/plugin/json_face.hpp"
#include "pg_extension/plugin/json_value.hpp"

namespace fanout::json_face {

namespace {

/// The columns by which rows of `relation` are found, as attribute numbers offset by
/// FirstLowInvalidHeapAttributeNumber; under FULL, the primary key if there is one.
Bitmapset* key_columns(Relation relation) {
    const bool full = relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL;
    return RelationGetIndexAttrBitmap(
        relation, full ? INDEX_ATTR_BITMAP_PRIMARY_KEY : INDEX_ATTR_BITMAP_IDENTITY_KEY);
}

bool is_key(Bitmapset* keys, int attnum) {
    return bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, keys);
}

bool is_carried(Form_pg_attribute attribute) {
    return !attribute->attisdropped && server::is_stored(attribute);
}

/// TOASTed, not in the WAL and not reassembled: the target keeps what it has.
bool is_unchanged(Form_pg_attribute attribute, Datum value, bool is_null) {
    return !is_null && attribute->attlen == -1 && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value));
}

void write_text_member(StringInfo out, const char* name, const char* value) {
    appendStringInfo(out, ",\"%s\":", name);
    escape_json(out, value);
}

/// ,"xid":…,"lsn":…,"index":…,"commit_time":… as far as they are wanted.
void write_place(StringInfo out, const Options& options, const Place& place, bool with_index) {
    if (options.include_xids) appendStringInfo(out, ",\"xid\":%u", place.xid);
    if (options.include_lsns) {
        appendStringInfo(out, ",\"lsn\":\"%X/%X\"", LSN_FORMAT_ARGS(place.lsn));
    }
    if (with_index) {
        appendStringInfo(out, ",\"index\":%llu", static_cast<unsigned long long>(place.index));
    }
    if (options.include_times) {
        appendStringInfoString(out, ",\"commit_time\":");
        write_time(out, place.commit_time);
    }
}

void write_table(StringInfo out, Relation relation) {
    write_text_member(out, "schema", get_namespace_name(RelationGetNamespace(relation)));
    write_text_member(out, "table", RelationGetRelationName(relation));
}

/// The values of one tuple, deformed once.
struct Image {
    Datum* values = nullptr;
    bool* nulls = nullptr;
    bool exists() const { return values != nullptr; }
};

Image deform(TupleDesc shape, HeapTuple tuple) {
    Image image;
    if (tuple == nullptr) return image;
    image.values = static_cast<Datum*>(palloc(sizeof(Datum) * (shape->natts + 1)));
    image.nulls = static_cast<bool*>(palloc(sizeof(bool) * (shape->natts + 1)));
    heap_deform_tuple(tuple, shape, image.values, image.nulls);
    return image;
}

/// Writes an object of the columns that `wanted` accepts and that the WAL has.
template <typename Wanted>
void write_object(StringInfo out, TupleDesc shape, const Image& image, Wanted wanted) {
    appendStringInfoChar(out, '{');
    bool first = true;
    for (int i = 0; i < shape->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (!is_carried(attribute) || !wanted(attribute)) continue;
        if (is_unchanged(attribute, image.values[i], image.nulls[i])) continue;
        if (!first) appendStringInfoChar(out, ',');
        first = false;
        escape_json(out, NameStr(attribute->attname));
        appendStringInfoChar(out, ':');
        write_value(out, attribute->atttypid, image.values[i], image.nulls[i]);
    }
    appendStringInfoChar(out, '}');
}

/// The row's key after the change, or of the row that went; null without a key.
void write_key(StringInfo out, TupleDesc shape, Bitmapset* keys, const Image& before,
               const Image& after) {
    appendStringInfoString(out, ",\"key\":");
    const Image& image = after.exists() ? after : before;
    if (keys == nullptr || !image.exists()) {
        appendStringInfoString(out, "null");
        return;
    }
    write_object(out, shape, image,
                 [keys](Form_pg_attribute attribute) { return is_key(keys, attribute->attnum); });
}

void write_before(StringInfo out, Relation relation, Bitmapset* keys, const Image& before) {
    appendStringInfoString(out, ",\"before\":");
    if (!before.exists()) {
        appendStringInfoString(out, "null");
        return;
    }
    const bool full = relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL;
    write_object(out, RelationGetDescr(relation), before,
                 [full, keys](Form_pg_attribute attribute) {
                     return full || is_key(keys, attribute->attnum);
                 });
}

void write_unchanged(StringInfo out, TupleDesc shape, const Image& after) {
    appendStringInfoString(out, ",\"unchanged\":[");
    bool first = true;
    for (int i = 0; after.exists() && i < shape->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (!is_carried(attribute)) continue;
        if (!is_unchanged(attribute, after.values[i], after.nulls[i])) continue;
        if (!first) appendStringInfoChar(out, ',');
        first = false;
        escape_json(out, NameStr(attribute->attname));
    }
    appendStringInfoChar(out, ']');
}

const char* operation(const ReorderBufferChange* change) {
    switch (change->action) {
        case REORDER_BUFFER_CHANGE_INSERT:
            return "insert";
        case REORDER_BUFFER_CHANGE_UPDATE:
            return "update";
        case REORDER_BUFFER_CHANGE_DELETE:
            return "delete";
        default:
            return "unknown";
    }
}

}  // namespace

void write_begin(StringInfo out, const Options& options, const Place& place) {
    appendStringInfoString(out, "{\"op\":\"begin\"");
    write_place(out, options, place, false);
    appendStringInfoChar(out, '}');
}

void write_commit(StringInfo out, const Options& options, const Place& place, XLogRecPtr end_lsn) {
    appendStringInfoString(out, "{\"op\":\"commit\"");
    write_place(out, options, place, false);
    if (options.include_lsns) {
        appendStringInfo(out, ",\"end_lsn\":\"%X/%X\"", LSN_FORMAT_ARGS(end_lsn));
    }
    appendStringInfo(out, ",\"changes\":%llu}", static_cast<unsigned long long>(place.index));
}

void write_change(StringInfo out, const Options& options, const Place& place, Relation relation,
                  const ReorderBufferChange* change) {
    TupleDesc shape = RelationGetDescr(relation);
    const Image before = deform(shape, server::old_tuple(change));
    const Image after = change->action == REORDER_BUFFER_CHANGE_DELETE
                            ? Image{}
                            : deform(shape, server::new_tuple(change));
    Bitmapset* keys = key_columns(relation);
    appendStringInfo(out, "{\"op\":\"%s\"", operation(change));
    write_table(out, relation);
    write_place(out, options, place, true);
    write_key(out, shape, keys, before, after);
    write_before(out, relation, keys, before);
    appendStringInfoString(out, ",\"after\":");
    if (after.exists()) {
        write_object(out, shape, after, [](Form_pg_attribute) { return true; });
    } else {
        appendStringInfoString(out, "null");
    }
    write_unchanged(out, shape, after);
    appendStringInfoChar(out, '}');
}

void write_truncate(StringInfo out, const Options& options, const Place& place, Relation relation,
                    bool cascade, bool restart_identity) {
    appendStringInfoString(out, "{\"op\":\"truncate\"");
    write_table(out, relation);
    write_place(out, options, place, true);
    appendStringInfo(out,
                     ",\"key\":null,\"before\":null,\"after\":null,\"unchanged\":[],\"cascade\":%s,"
                     "\"restart_identity\":%s}",
                     cascade ? "true" : "false", restart_identity ? "true" : "false");
}

void write_message(StringInfo out, const Options& options, const Place& place, bool transactional,
                   const char* prefix, Size size, const char* content) {
    appendStringInfoString(out, "{\"op\":\"message\"");
    write_place(out, options, place, true);
    appendStringInfo(out, ",\"transactional\":%s", transactional ? "true" : "false");
    write_text_member(out, "prefix", prefix);
    const bool is_text =
        memchr(content, '\0', size) == nullptr &&
        pg_verify_mbstr(GetDatabaseEncoding(), content, static_cast<int>(size), true);
    if (is_text) {
        appendStringInfoString(out, ",\"encoding\":\"utf8\"");
        write_text_member(out, "content", pnstrdup(content, size));
    } else {
        appendStringInfoString(out, ",\"encoding\":\"base64\",\"content\":");
        write_base64(out, content, size);
    }
    appendStringInfoChar(out, '}');
}

}  // namespace fanout::json_face
