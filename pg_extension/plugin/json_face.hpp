// The plugin's face for people: one JSON object per change, through the ordinary slot functions.
//
// Same members and meaning as the lines of the `file` connector (docs/record-format.md ends with
// them), so that what an operator peeks at is what a target gets. Runs in the session that reads
// the slot; allocates in the caller's per-change context.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::json_face {

/// Members that tests and people may leave out because they differ from run to run.
struct Options {
    bool include_xids = true;
    bool include_lsns = true;
    bool include_times = true;
    bool include_transactions = false;  // begin and commit as lines of their own
};

/// Where a change stands. `index` counts from 0 over the changes of the transaction.
struct Place {
    TransactionId xid;
    XLogRecPtr lsn;
    TimestampTz commit_time;
    uint64 index;
};

void write_begin(StringInfo out, const Options& options, const Place& place);
void write_commit(StringInfo out, const Options& options, const Place& place, XLogRecPtr end_lsn);

/// Insert, update or delete of `relation`, whose tuples are in `change`.
void write_change(StringInfo out, const Options& options, const Place& place, Relation relation,
                  const ReorderBufferChange* change);

/// One table of a TRUNCATE.
void write_truncate(StringInfo out, const Options& options, const Place& place, Relation relation,
                    bool cascade, bool restart_identity);

void write_message(StringInfo out, const Options& options, const Place& place, bool transactional,
                   const char* prefix, Size size, const char* content);

}  // namespace fanout::json_face
