// Feeds WAL to the decoder from this server's own files, without ever asking twice for a page.
//
// The flush pointer is remembered and read again only when a page beyond it is wanted; then the
// worker sleeps, and uses the time (see IdleWork). While commits come fast it does not sleep until
// the next one, it naps (see CommitPace).
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/worker/consumer_link.hpp"

namespace fanout::worker {

/// What is done whenever the reader has caught up, before it sleeps. Returns the longest sleep in
/// milliseconds that it allows; -1: any.
using IdleWork = long (*)(void* argument);

/// For CreateDecodingContext. start_wal_reader() must be called before the first read.
XLogReaderRoutine* wal_reader_routine();

void start_wal_reader(ConsumerLink* link, IdleWork idle_work, void* argument);

/// A commit or abort was read: for the pace.
void note_transaction_end();

}  // namespace fanout::worker
