// The plugin's text face: one JSON object per change, in the words of the connectors `file` and
// `stdout` (docs/record-format.md). For people and for pg_regress; not a fast path.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/plugin/ddl_event.hpp"
#include "pg_extension/plugin/plugin_options.hpp"
#include "pg_extension/tables/relation_cache.hpp"

namespace fanout::plugin {

struct JsonFace {
    LogicalDecodingContext* context;
    PluginOptions options;
    bool begun;    // the begin line of the open transaction is out
    uint64 index;  // of the last line of the open transaction
};

void json_begin(JsonFace* face, const ReorderBufferTXN* txn);
void json_row(JsonFace* face, const ReorderBufferTXN* txn, RelationEntry* entry, Relation relation,
              const ReorderBufferChange* change);
void json_truncate(JsonFace* face, const ReorderBufferTXN* txn, RelationEntry* const* entries,
                   uint32 count, const ReorderBufferChange* change);
void json_ddl(JsonFace* face, const ReorderBufferTXN* txn, const DdlEvent& event);
/// `txn` is nullptr for a message outside a transaction.
void json_message(JsonFace* face, const ReorderBufferTXN* txn, XLogRecPtr lsn, const char* prefix,
                  const char* content, Size size);
void json_commit(JsonFace* face, const ReorderBufferTXN* txn);

}  // namespace fanout::plugin
