// Learning of new WAL without polling.
//
// 16 and later: the condition variable that logical walsenders sleep on. 13 to 15: XLogFlush sets
// the latch in every entry of the walsender array, so the worker lends its latch to a *free* entry,
// from the end of the array, without taking the entry: a walsender that needs it simply takes it,
// and the worker, which looks again at least once a second, moves on. Without a free entry (or with
// max_wal_senders = 0) it polls, with back-off.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/worker/consumer_link.hpp"

namespace fanout::worker {

/// Once per worker, before the first sleep.
void prepare_wal_wait();

/// Sleeps until WAL may have been flushed beyond `wanted`, or something else happens, or
/// `timeout_ms` (-1: none) has passed. May return early; the caller looks again.
void sleep_for_wal(ConsumerLink* link, XLogRecPtr wanted, long timeout_ms);

}  // namespace fanout::worker
