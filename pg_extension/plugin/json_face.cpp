// Each kind of line, member by member.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/plugin/json_face.hpp"
//
#include "pg_extension/plugin/json_value.hpp"
#include "pg_extension/plugin/row_choice.hpp"
#include "pg_extension/plugin/tuple_encoder.hpp"

namespace fanout::plugin {

namespace {

bool is_unchanged(const ColumnPlan& column, const RowImage& row) {
    return !row.nulls[column.attribute] &&
           is_unchanged_toast(column.value, row.values[column.attribute]);
}

/// With identity full every column is part of it: the primary key says more.
uint8 key_flag(const Projection* projection) {
    const bool by_index = projection->identity == wire::Identity::by_default ||
                          projection->identity == wire::Identity::index;
    return by_index ? wire::kColumnKey : wire::kColumnPrimaryKey;
}

void put_member(StringInfo out, ColumnPlan* column, const RowImage& row, bool* first) {
    appendStringInfoString(out, *first ? "" : ",");
    *first = false;
    escape_json(out, column->name);
    appendStringInfoChar(out, ':');
    append_json_value(out, column, row.values[column->attribute], row.nulls[column->attribute]);
}

/// `only` restricts the image to columns with that flag; 0: all.
void put_image(StringInfo out, const Projection* projection, const RowImage* row, uint8 only) {
    if (row == nullptr) {
        appendStringInfoString(out, "null");
        return;
    }
    bool first = true;
    appendStringInfoChar(out, '{');
    for (int i = 0; i < projection->column_count; ++i) {
        ColumnPlan* column = &projection->columns[i];
        if (only != 0 && (column->flags & only) == 0) continue;
        if (is_unchanged(*column, *row)) continue;
        put_member(out, column, *row, &first);
    }
    appendStringInfoChar(out, '}');
}

/// The row's key after the change, or of the row that went.
void put_key(StringInfo out, const Projection* projection, const RowImage* before,
             const RowImage* after) {
    const uint8 flag = key_flag(projection);
    bool first = true;
    for (int i = 0; i < projection->column_count; ++i) {
        ColumnPlan* column = &projection->columns[i];
        if ((column->flags & flag) == 0) continue;
        const bool from_after = after != nullptr && !is_unchanged(*column, *after);
        if (!from_after && before == nullptr) continue;
        if (first) appendStringInfoChar(out, '{');
        put_member(out, column, from_after ? *after : *before, &first);
    }
    appendStringInfoString(out, first ? "null" : "}");
}

void put_unchanged(StringInfo out, const Projection* projection, const RowImage* after) {
    bool first = true;
    appendStringInfoChar(out, '[');
    for (int i = 0; after != nullptr && i < projection->column_count; ++i) {
        if (!is_unchanged(projection->columns[i], *after)) continue;
        if (!first) appendStringInfoChar(out, ',');
        first = false;
        escape_json(out, projection->columns[i].name);
    }
    appendStringInfoChar(out, ']');
}

StringInfo open_line(JsonFace* face, const char* op) {
    OutputPluginPrepareWrite(face->context, true);
    StringInfo out = face->context->out;
    appendStringInfo(out, "{\"op\":\"%s\"", op);
    return out;
}

void close_line(JsonFace* face) {
    appendStringInfoChar(face->context->out, '}');
    OutputPluginWrite(face->context, true);
}

void put_table(StringInfo out, const RelationEntry* entry) {
    appendStringInfoString(out, ",\"schema\":");
    escape_json(out, entry->schema);
    appendStringInfoString(out, ",\"table\":");
    escape_json(out, entry->name);
}

/// Lines count from 0, records from 1.
void put_position(JsonFace* face, StringInfo out, const ReorderBufferTXN* txn, XLogRecPtr lsn,
                  uint64 index) {
    const PluginOptions& options = face->options;
    if (options.include_xids) appendStringInfo(out, ",\"xid\":%u", txn != nullptr ? txn->xid : 0);
    if (options.include_lsns) {
        appendStringInfo(out, ",\"lsn\":\"%X/%X\"", LSN_FORMAT_ARGS(lsn));
    }
    appendStringInfo(out, ",\"index\":" UINT64_FORMAT, index);
    if (options.include_times && txn != nullptr) {
        appendStringInfoString(out, ",\"commit_time\":");
        append_json_time(out, server::commit_time(txn));
    }
}

/// A begin or commit line, up to the closing brace.
StringInfo open_boundary(JsonFace* face, const ReorderBufferTXN* txn, const char* op) {
    StringInfo out = open_line(face, op);
    const PluginOptions& options = face->options;
    if (options.include_xids) appendStringInfo(out, ",\"xid\":%u", txn->xid);
    if (options.include_lsns) {
        appendStringInfo(out, ",\"lsn\":\"%X/%X\",\"end_lsn\":\"%X/%X\"",
                         LSN_FORMAT_ARGS(txn->final_lsn), LSN_FORMAT_ARGS(txn->end_lsn));
    }
    if (options.include_times) {
        appendStringInfoString(out, ",\"commit_time\":");
        append_json_time(out, server::commit_time(txn));
    }
    return out;
}

void begin_if_needed(JsonFace* face, const ReorderBufferTXN* txn) {
    if (face->begun || !face->options.include_transactions) return;
    (void)open_boundary(face, txn, "begin");
    close_line(face);
    face->begun = true;
}

void put_text_or_null(StringInfo out, const char* text) {
    if (text[0] != '\0') {
        escape_json(out, text);
    } else {
        appendStringInfoString(out, "null");
    }
}

const char* op_of(RowChoice::Kind kind) {
    switch (kind) {
        case RowChoice::Kind::insert:
            return "insert";
        case RowChoice::Kind::update:
            return "update";
        default:
            return "delete";
    }
}

[[noreturn]] void refuse_row(const RelationEntry* entry, const Projection* projection,
                             const RowChoice& choice) {
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("the predicate on %s.%s could not be evaluated for the row %s: %s",
                           entry->schema, entry->name, describe_key(projection, choice),
                           projection->predicate->error)));
    pg_unreachable();
}

}  // namespace

void json_begin(JsonFace* face, const ReorderBufferTXN*) {
    face->begun = false;
    face->index = 0;
}

void json_row(JsonFace* face, const ReorderBufferTXN* txn, RelationEntry* entry, Relation relation,
              const ReorderBufferChange* change) {
    const RowChange row = deform_change(entry, relation, change);
    const Projection* projection = entry->projections;
    const RowChoice choice = choose_row(projection, row);
    if (choice.kind == RowChoice::Kind::none) return;
    if (choice.kind == RowChoice::Kind::unjudged) refuse_row(entry, projection, choice);
    const RowImage* before = choice.kind == RowChoice::Kind::insert ? nullptr : choice.before;
    const RowImage* after = choice.kind == RowChoice::Kind::remove ? nullptr : choice.after;
    begin_if_needed(face, txn);
    StringInfo out = open_line(face, op_of(choice.kind));
    put_table(out, entry);
    put_position(face, out, txn, txn->final_lsn, face->index++);
    appendStringInfoString(out, ",\"key\":");
    put_key(out, projection, before, after);
    appendStringInfoString(out, ",\"before\":");
    const bool whole = projection->identity == wire::Identity::full;
    put_image(out, projection, before, whole ? 0 : wire::kColumnKey);
    appendStringInfoString(out, ",\"after\":");
    put_image(out, projection, after, 0);
    appendStringInfoString(out, ",\"unchanged\":");
    put_unchanged(out, projection, after);
    close_line(face);
}

void json_truncate(JsonFace* face, const ReorderBufferTXN* txn, RelationEntry* const* entries,
                   uint32 count, const ReorderBufferChange* change) {
    begin_if_needed(face, txn);
    const uint64 index = face->index++;
    for (uint32 i = 0; i < count; ++i) {
        StringInfo out = open_line(face, "truncate");
        put_table(out, entries[i]);
        put_position(face, out, txn, txn->final_lsn, index);
        appendStringInfo(out,
                         ",\"key\":null,\"before\":null,\"after\":null,\"unchanged\":[],"
                         "\"cascade\":%s,\"restart_identity\":%s",
                         change->data.truncate.cascade ? "true" : "false",
                         change->data.truncate.restart_seqs ? "true" : "false");
        close_line(face);
    }
}

void json_ddl(JsonFace* face, const ReorderBufferTXN* txn, const DdlEvent& event) {
    begin_if_needed(face, txn);
    StringInfo out = open_line(face, "ddl");
    appendStringInfo(out, ",\"kind\":\"%s\"", event.kind_name);
    const struct {
        const char* name;
        const char* value;
    } texts[] = {{"schema", event.schema},         {"table", event.name},
                 {"new_schema", event.new_schema}, {"new_table", event.new_name},
                 {"column", event.column},         {"new_column", event.new_column}};
    for (const auto& text : texts) {
        appendStringInfo(out, ",\"%s\":", text.name);
        put_text_or_null(out, text.value);
    }
    put_position(face, out, txn, txn->final_lsn, face->index++);
    appendStringInfo(out, ",\"before\":%s,\"after\":%s,\"statement\":",
                     event.before[0] != '\0' ? event.before : "null",
                     event.after[0] != '\0' ? event.after : "null");
    escape_json(out, event.statement);
    close_line(face);
}

void json_message(JsonFace* face, const ReorderBufferTXN* txn, XLogRecPtr lsn, const char* prefix,
                  const char* content, Size size) {
    if (!face->options.include_messages) return;
    if (txn != nullptr) begin_if_needed(face, txn);
    StringInfo out = open_line(face, "message");
    put_position(face, out, txn, txn != nullptr ? txn->final_lsn : lsn,
                 txn != nullptr ? face->index++ : 0);
    appendStringInfoString(out, ",\"prefix\":");
    escape_json(out, prefix);
    const bool is_text =
        memchr(content, '\0', size) == nullptr &&
        pg_verify_mbstr(GetDatabaseEncoding(), content, static_cast<int>(size), true);
    appendStringInfo(out, ",\"encoding\":\"%s\",\"content\":", is_text ? "utf8" : "base64");
    if (is_text) {
        escape_json(out, pnstrdup(content, size));
    } else {
        append_json_base64(out, content, size);
    }
    close_line(face);
}

void json_commit(JsonFace* face, const ReorderBufferTXN* txn) {
    if (!face->begun) return;
    appendStringInfo(open_boundary(face, txn, "commit"), ",\"changes\":" UINT64_FORMAT,
                     face->index);
    close_line(face);
}

}  // namespace fanout::plugin
