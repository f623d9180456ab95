// The plugin's binary face: changes become wire records in the ring.
//
// Begin is sent with the first record of a transaction that somebody wants, so a transaction that
// nobody wants sends nothing; the worker's keepalives cover it.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/plugin/ddl_event.hpp"
#include "pg_extension/plugin/ring_output.hpp"
#include "pg_extension/plugin/sequence_event.hpp"
#include "pg_extension/tables/relation_cache.hpp"

namespace fanout::plugin {

struct RingFace {
    RingOutput* output;
    bool begun;
    uint64 index;                   // of the last record of the open transaction
    uint64 serial;                  // of the open transaction in this process
    bool rewritten;                 // the row in hand
    wire::FilteredCount* filtered;  // rows left out in the open transaction, by version
    uint32 filtered_count;
    uint32 filtered_room;
};

void ring_begin(RingFace* face);
/// `rewritten`: of a table that is written anew.
void ring_row(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry, Relation relation,
              const ReorderBufferChange* change, bool rewritten);
void ring_truncate(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* const* entries,
                   uint32 count, const ReorderBufferChange* change);
/// For those the event names; `entry` is nullptr if its table is gone.
void ring_ddl(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry,
              const DdlEvent& event);
void ring_sequence(RingFace* face, const ReorderBufferTXN* txn, const SequenceEvent& event);
/// `txn` is nullptr for a message outside a transaction, whose place is `lsn`.
void ring_message(RingFace* face, const ReorderBufferTXN* txn, XLogRecPtr lsn, const char* prefix,
                  const char* content, Size size);
/// Sends the relation record, if the current one has not been sent.
void ring_announce(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry);
void ring_commit(RingFace* face, const ReorderBufferTXN* txn);
void ring_keepalive(worker::RingProducer* ring, XLogRecPtr lsn, bool report_requested);

}  // namespace fanout::plugin
