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

/// When a worker that has caught up naps instead of sleeping until the next commit wakes it.
///
/// Being woken costs more than decoding a small transaction: the worker's sleep and wake-up, the
/// committing backend's signal, fanoutd's wake-up behind it. At 700 commits a second and more a
/// short nap serves several of them at once, and nobody has to be signalled. Below that each commit
/// wakes the worker at once, and an idle worker never naps: a window without enough commits ends
/// it. Plain arithmetic.
class CommitPace {
  public:
    /// A transaction has ended in the WAL.
    void note() { ++ends_; }

    /// Microseconds to nap now that everything is read; 0: sleep until there is more.
    long nap_us(TimestampTz now) {
        const bool came = ends_ != ends_at_last_look_;
        ends_at_last_look_ = ends_;
        const int64 window_us = now - window_begun_;
        if (window_us >= kWindowUs || window_us < 0) {
            const uint64 count = ends_ - ends_at_window_;
            // Longer windows are those that a sleep was in.
            interval_us_ = count == 0 || window_us < 0 ? kIntervalMaxUs
                                                       : window_us / static_cast<int64>(count);
            window_begun_ = now;
            ends_at_window_ = ends_;
        }
        // After a nap in which nothing came the next commit is waited for.
        if (!came || interval_us_ >= kIntervalMaxUs) return 0;
        return static_cast<long>(Min(interval_us_ * kEndsPerNap, kNapMaxUs));
    }

  private:
    static constexpr int64 kWindowUs = 20'000;
    static constexpr int64 kIntervalMaxUs = 1'500;
    static constexpr int64 kEndsPerNap = 4;
    static constexpr int64 kNapMaxUs = 3'000;

    uint64 ends_ = 0;
    uint64 ends_at_last_look_ = 0;
    uint64 ends_at_window_ = 0;
    TimestampTz window_begun_ = 0;
    int64 interval_us_ = kIntervalMaxUs;  // between two ends, in the last window
};

}  // namespace fanout::worker
