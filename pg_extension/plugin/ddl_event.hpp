// Schema changes, as they are found in the WAL: rows of fanout.ddl_event, which only the event
// triggers of the extension write.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/relation_cache.hpp"
//
#include "fanout/wire/ddl_format.hpp"

namespace fanout::plugin {

struct ColumnNames {
    Datum* names;  // text
    int count;
};

/// Texts are "" where the column is NULL.
struct DdlEvent {
    Oid relation;
    wire::DdlKind kind;
    const char* kind_name;
    const char *schema, *name, *new_schema, *new_name, *column, *new_column;
    const char *before, *after, *statement;
    const char* missing;      // nullptr: NULL
    ColumnNames used, clear;  // by an index that is created; those that no mask may hide from it
    bool first_rows;
    bool is_gone;    // the table
    uint32* wanted;  // ids of the subscriptions it is for
    uint16 wanted_count;
};

/// False if the change is not the insertion of an event.
bool read_ddl_event(Relation table, const ReorderBufferChange* change, DdlEvent* event);

/// Finds whom the event is for. `entry` is the table's, nullptr if it is gone.
void choose_ddl_readers(const TableFilter* filter, const RelationEntry* entry, DdlEvent* event);

/// The table as it is at the event's place, nullptr if it is not there.
RelationEntry* find_table(RelationCache* relations, const DdlEvent& event);

/// Tables whose rows come anew in the open transaction, in the context of the decoding.
struct Rewrites {
    MemoryContext context;
    List* tables;
};
void note_rewrite(Rewrites* rewrites, Oid table);
void forget_rewrites(Rewrites* rewrites, RelationCache* relations);
inline bool is_rewritten(const Rewrites& rewrites, Oid table) {
    return list_member_oid(rewrites.tables, table);
}

}  // namespace fanout::plugin
