// The two ways of being woken, and the fallback.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/worker/wal_wait.hpp"

namespace fanout::worker {

namespace {

constexpr long kPollMinMs = 1;
constexpr long kPollMaxMs = 64;

long poll_ms = kPollMinMs;
XLogRecPtr polled_for = InvalidXLogRecPtr;

/// The longest sleep that `timeout_ms` and `limit_ms` allow.
long shorter(long timeout_ms, long limit_ms) {
    return timeout_ms < 0 ? limit_ms : Min(timeout_ms, limit_ms);
}

void sleep_polling(ConsumerLink* link, XLogRecPtr wanted, long timeout_ms) {
    if (wanted != polled_for) poll_ms = kPollMinMs;
    polled_for = wanted;
    wait_on_link(link, shorter(timeout_ms, poll_ms));
    poll_ms = Min(poll_ms * 2, kPollMaxMs);
}

XLogRecPtr flushed() {
    TimeLineID timeline = 0;
    return server::flushed_lsn(&timeline);
}

}  // namespace

#if PG_VERSION_NUM >= 160000

void prepare_wal_wait() {}

void sleep_for_wal(ConsumerLink* link, XLogRecPtr wanted, long timeout_ms) {
    if (max_wal_senders == 0) {
        sleep_polling(link, wanted, timeout_ms);
        return;
    }
    ConditionVariablePrepareToSleep(&WalSndCtl->wal_replay_cv);
    if (flushed() < wanted) wait_on_link(link, timeout_ms);
    ConditionVariableCancelSleep();
}

#else

namespace {

constexpr long kLookAgainMs = 1000;

WalSnd* lender = nullptr;

void take_latch_back(int, Datum) {
    if (lender == nullptr) return;
    SpinLockAcquire(&lender->mutex);
    if (lender->pid == 0 && lender->latch == MyLatch) lender->latch = nullptr;
    SpinLockRelease(&lender->mutex);
    lender = nullptr;
}

bool still_lent() {
    if (lender == nullptr) return false;
    SpinLockAcquire(&lender->mutex);
    const bool ours = lender->latch == MyLatch;
    SpinLockRelease(&lender->mutex);
    return ours;
}

bool lend_latch() {
    if (still_lent()) return true;
    lender = nullptr;
    for (int i = max_wal_senders - 1; i >= 0 && lender == nullptr; --i) {
        WalSnd* entry = &WalSndCtl->walsnds[i];
        SpinLockAcquire(&entry->mutex);
        if (entry->pid == 0 && entry->latch == nullptr) {
            entry->latch = MyLatch;
            lender = entry;
        }
        SpinLockRelease(&entry->mutex);
    }
    return lender != nullptr;
}

}  // namespace

void prepare_wal_wait() {
    on_shmem_exit(take_latch_back, 0);
}

void sleep_for_wal(ConsumerLink* link, XLogRecPtr wanted, long timeout_ms) {
    if (!lend_latch()) {
        sleep_polling(link, wanted, timeout_ms);
    } else if (flushed() < wanted) {
        wait_on_link(link, shorter(timeout_ms, kLookAgainMs));
    }
}

#endif

}  // namespace fanout::worker
