// fanout._settle and fanout._flush_wal: what a copy of existing rows has to know about its
// snapshot. docs/backfill.md has the argument they are part of.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/functions/lsn_form.hpp"

namespace {

constexpr long kStepMs = 1;

void nap() {
    CHECK_FOR_INTERRUPTS();
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kStepMs,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

/// Backends between the insertion of their commit record and the entry in the commit log.
bool wait_for_commit_log(TimestampTz deadline) {
    int count = 0;
    VirtualTransactionId* between = fanout::server::committing_now(&count);
    while (fanout::server::still_committing(between, count)) {
        if (GetCurrentTimestamp() >= deadline) return false;
        nap();
    }
    pfree(between);
    return true;
}

/// Transactions that the commit log knows as committed, while snapshots still see them running:
/// those that wait for a synchronous standby, and those that are about to leave.
bool wait_for_visibility(TimestampTz deadline) {
    int count = 0;
    const TransactionId* running = fanout::server::running_now(&count);
    for (int i = 0; i < count; ++i) {
        if (!TransactionIdDidCommit(running[i])) continue;
        while (TransactionIdIsInProgress(running[i])) {
            if (GetCurrentTimestamp() >= deadline) return false;
            nap();
        }
    }
    return true;
}

}  // namespace

FANOUT_SQL_FUNCTION(fanout_settle) {
    const TimestampTz deadline =
        TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PG_GETARG_INT32(0));
    PG_RETURN_BOOL(wait_for_commit_log(deadline) && wait_for_visibility(deadline));
}

FANOUT_SQL_FUNCTION(fanout_flush_wal) {
    const XLogRecPtr end = fanout::lsn_of_page_start(GetXLogInsertRecPtr());
    XLogFlush(end);
    PG_RETURN_LSN(end);
}
