// Runs in the session of fanout.launch_worker() and fanout.stop_worker().
#include "pg_extension/pg.hpp"
//
#include "pg_extension/worker/worker_launch.hpp"
//
#include <signal.h>

#include <new>

#include "pg_extension/worker/slot_checks.hpp"

namespace fanout::worker {

namespace {

constexpr long kLookAgainMs = 200;
constexpr int kStopWaitMs = 10000;

BackgroundWorkerHandle* register_worker(const LaunchRequest& request, dsm_handle area) {
    BackgroundWorker worker{};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_main_arg = UInt32GetDatum(area);
    worker.bgw_notify_pid = MyProcPid;
    strlcpy(worker.bgw_library_name, "pg_fanout", sizeof worker.bgw_library_name);
    strlcpy(worker.bgw_function_name, "fanout_decoding_worker_main",
            sizeof worker.bgw_function_name);
    strlcpy(worker.bgw_type, kWorkerType, sizeof worker.bgw_type);
    snprintf(worker.bgw_name, sizeof worker.bgw_name, "%s %s", kWorkerType, NameStr(request.slot));
    BackgroundWorkerHandle* handle = nullptr;
    if (!RegisterDynamicBackgroundWorker(&worker, &handle)) {
        ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                        errmsg("there is no free background worker for slot \"%s\"",
                               NameStr(request.slot)),
                        errhint("Raise max_worker_processes (now %d) and restart the server.",
                                max_worker_processes)));
    }
    return handle;
}

[[noreturn]] void raise_workers_error(const LaunchArea* area) {
    const LaunchError& error = area->error;
    ereport(ERROR, (errcode(error.code), errmsg_internal("%s", error.message),
                    error.detail[0] != '\0' ? errdetail_internal("%s", error.detail) : 0,
                    error.hint[0] != '\0' ? errhint("%s", error.hint) : 0));
    pg_unreachable();
}

void wait_until_listening(LaunchArea* area, BackgroundWorkerHandle* handle) {
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        pid_t pid = 0;
        const BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);
        // Read after the status: a worker that has stopped has written its last word before.
        const LaunchState state = area->state.load(std::memory_order_acquire);
        if (state == LaunchState::listening) return;
        if (state == LaunchState::failed) raise_workers_error(area);
        if (status == BGWH_STOPPED || status == BGWH_POSTMASTER_DIED) {
            ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                            errmsg("the decoding worker of slot \"%s\" ended before it was ready",
                                   NameStr(area->request.slot)),
                            errhint("The server's log says why.")));
        }
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLookAgainMs,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
}

}  // namespace

void launch_worker(const LaunchRequest& request, LaunchArea* facts) {
    dsm_segment* shared = dsm_create(sizeof(LaunchArea), 0);
    auto* area = new (dsm_segment_address(shared)) LaunchArea{};
    area->state.store(LaunchState::starting, std::memory_order_relaxed);
    area->request = request;
    area->request.launcher_pid = MyProcPid;
    BackgroundWorkerHandle* handle = register_worker(request, dsm_segment_handle(shared));
    PG_TRY();
    { wait_until_listening(area, handle); }
    PG_CATCH();
    {
        TerminateBackgroundWorker(handle);
        PG_RE_THROW();
    }
    PG_END_TRY();
    strlcpy(facts->socket_path, area->socket_path, sizeof facts->socket_path);
    memcpy(facts->token, area->token, sizeof facts->token);
    facts->worker_pid = area->worker_pid;
    facts->confirmed_lsn = area->confirmed_lsn;
    facts->timeline = area->timeline;
    dsm_detach(shared);
}

bool stop_worker(const char* slot) {
    const pid_t pid = slot_user(slot);
    if (pid == 0) return false;
    if (!is_decoding_worker(pid)) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("replication slot \"%s\" is in use by process %d, which is not a "
                               "decoding worker of pg_fanout",
                               slot, static_cast<int>(pid)),
                        errhint("End that process, for example with SELECT "
                                "pg_terminate_backend(%d).",
                                static_cast<int>(pid))));
    }
    (void)kill(pid, SIGTERM);
    if (!wait_until_free(slot, pid, kStopWaitMs)) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("the decoding worker of slot \"%s\" (process %d) did not end within "
                               "%d s",
                               slot, static_cast<int>(pid), kStopWaitMs / 1000)));
    }
    return true;
}

}  // namespace fanout::worker
