// The background worker: decodes one slot in process, as long as one fanoutd is attached.
//
// Order of its life: settings and filter (ordinary transactions, SPI), slot, socket, ring,
// fanoutd's hello, decoding context, then one loop. No SPI once the decoding context exists. Any
// error ends the worker: before it listens the error goes to the caller of fanout.launch_worker(),
// afterwards to fanoutd as a farewell; the slot is released by the process's end. It is never
// restarted by the server. A worker that crashes restarts the whole server, so nothing that can
// crash belongs here.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/worker/decoding_worker.hpp"
//
#include <new>

#include "pg_extension/plugin/pinned_settings.hpp"
#include "pg_extension/plugin/ring_face.hpp"
#include "pg_extension/settings.hpp"
#include "pg_extension/tables/subscription_config.hpp"
#include "pg_extension/worker/fault_point.hpp"
#include "pg_extension/worker/slot_checks.hpp"
#include "pg_extension/worker/wal_reader.hpp"
#include "pg_extension/worker/worker_socket.hpp"

namespace fanout::worker {

namespace {

constexpr long kKeepaliveIntervalMs = 100;
constexpr uint64 kKeepaliveBytes = 16 * 1024 * 1024;
constexpr const char* kGoodbye = "the decoding worker was told to end, or the server shuts down";

struct Worker {
    LaunchRequest request;
    WorkerSocket socket;
    ConsumerLink link;
    RingSegment segment;
    RingProducer* ring;
    SlotProgress* progress;
    plugin::RingOutput output;
    XLogRecPtr start_lsn;
    XLogRecPtr processed_end;   // everything that commits before it has been sent
    XLogRecPtr keepalive_sent;  // the last one's, or the start
    TimestampTz keepalive_at;
    bool farewell_sent;
    bool failed;
};

Worker worker;

void say_goodbye(int sqlstate, const char* text) {
    if (worker.link.socket < 0 || worker.farewell_sent) return;
    worker.farewell_sent = true;
    send_farewell(worker.link.socket, sqlstate, text);
}

/// Runs at every end. Terminate, shutdown and fanoutd's leaving come through here without an error:
/// then the slot keeps what was acknowledged.
void on_exit(int, Datum) {
    say_goodbye(ERRCODE_ADMIN_SHUTDOWN, kGoodbye);
    if (worker.failed || worker.progress == nullptr || MyReplicationSlot == nullptr) return;
    worker.progress->finish();
}

void tell_launcher(LaunchArea* area, LaunchState state) {
    area->state.store(state, std::memory_order_release);
    PGPROC* launcher = BackendPidGetProc(area->request.launcher_pid);
    if (launcher != nullptr) SetLatch(&launcher->procLatch);
}

void copy_error(LaunchError* out, const ErrorData* error) {
    out->code = error->sqlerrcode;
    strlcpy(out->message, error->message != nullptr ? error->message : "", sizeof out->message);
    strlcpy(out->detail, error->detail != nullptr ? error->detail : "", sizeof out->detail);
    strlcpy(out->hint, error->hint != nullptr ? error->hint : "", sizeof out->hint);
}

/// What output functions depend on, and the memory for open transactions.
void apply_settings() {
    plugin::pin_settings();
    (void)set_config_option("logical_decoding_work_mem",
                            psprintf("%dkB", settings::decoding_work_mem_kilobytes), PGC_USERSET,
                            PGC_S_SESSION, GUC_ACTION_SET, true, 0, false);
}

/// The two ways in which slot and journal can have parted; the words are for fanoutd to recognize.
void check_start(XLogRecPtr start, XLogRecPtr confirmed) {
    TimeLineID timeline = 0;
    const XLogRecPtr flushed = server::flushed_lsn(&timeline);
    if (start > flushed) {
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("source_rewound: the journal ends at %X/%X, but this server's WAL ends at "
                        "%X/%X",
                        LSN_FORMAT_ARGS(start), LSN_FORMAT_ARGS(flushed)),
                 errhint("The server was restored or failed over to an earlier state. Create the "
                         "stream anew and resynchronize its targets.")));
    }
    if (confirmed > start) {
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("slot_ahead: slot \"%s\" is confirmed up to %X/%X, but the journal ends at "
                        "%X/%X",
                        NameStr(worker.request.slot), LSN_FORMAT_ARGS(confirmed),
                        LSN_FORMAT_ARGS(start)),
                 errdetail("The slot was advanced or created again by somebody else; what lies "
                           "between is lost to this stream."),
                 errhint("Create the stream anew and resynchronize its targets.")));
    }
}

/// A worker whose fanoutd has just died may need a moment to leave: longer than the default of
/// fanout.attach_timeout, because it may have died before it connected.
void acquire_slot() {
    constexpr int kWaitMs = 6000;
    const char* name = NameStr(worker.request.slot);
    check_slot(name);
    const pid_t user = slot_user(name);
    if (user != 0 && is_decoding_worker(user)) (void)wait_until_free(name, user, kWaitMs);
    server::acquire_slot(name);
    FANOUT_FAULT_HERE("worker.slot_acquired");
    const XLogRecPtr confirmed = MyReplicationSlot->data.confirmed_flush;
    worker.start_lsn = worker.request.start_lsn;
    if (worker.start_lsn == InvalidXLogRecPtr) worker.start_lsn = confirmed;
    check_start(worker.start_lsn, confirmed);
}

/// Everything that can fail before there is anybody to talk to but the launcher.
void prepare(LaunchArea* area) {
    worker.request = area->request;
    BackgroundWorkerInitializeConnectionByOid(worker.request.database, InvalidOid, 0);
    apply_settings();
    worker.output.filter = plugin::create_table_filter(TopMemoryContext);
    worker.output.stream_id = worker.request.stream_id;
    plugin::load_subscriptions(worker.output.filter, worker.request.stream_id);
    CurrentResourceOwner = ResourceOwnerCreate(nullptr, "pg_fanout worker");
    check_server();
    acquire_slot();
    create_ring_segment(&worker.segment, worker.request.ring_bytes, worker.request.epoch);
    listen_for_daemon(&worker.socket);
    strlcpy(area->socket_path, worker.socket.path, sizeof area->socket_path);
    memcpy(area->token, worker.socket.token, sizeof area->token);
    area->worker_pid = MyProcPid;
    area->confirmed_lsn = MyReplicationSlot->data.confirmed_flush;
    area->timeline = server::current_timeline();
}

void meet_daemon() {
    const int connection = accept_daemon(&worker.socket);
    open_link(&worker.link, connection);
    send_welcome(connection, {worker.request.ring_bytes, worker.request.epoch, worker.start_lsn},
                 {worker.segment.data_fd, worker.segment.ack_fd, worker.link.data_ready,
                  worker.link.space_ready});
    alignas(RingProducer) static char producer[sizeof(RingProducer)];
    alignas(SlotProgress) static char progress[sizeof(SlotProgress)];
    worker.ring = new (producer) RingProducer(worker.segment, &worker.link);
    worker.progress = new (progress) SlotProgress(worker.segment.ack);
    const XLogRecPtr confirmed = MyReplicationSlot->data.confirmed_flush;
    worker.progress->begin_at(confirmed);
    if (worker.start_lsn > confirmed) worker.progress->offer(worker.start_lsn);
}

void send_keepalive() {
    plugin::ring_keepalive(worker.ring, worker.processed_end, worker.output.report_requested);
    worker.progress->offer(worker.processed_end);
    worker.output.report_requested = false;
    worker.keepalive_sent = worker.processed_end;
    worker.keepalive_at = GetCurrentTimestamp();
}

/// After each WAL record; never inside a transaction's replay.
void after_record() {
    const bool far_ahead = worker.processed_end - worker.keepalive_sent >= kKeepaliveBytes;
    if (unlikely(worker.output.report_requested || far_ahead)) send_keepalive();
}

/// Caught up: tell so (not too often), take the acknowledgement, and say how long to sleep.
long idle_work(void*) {
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
        apply_settings();
    }
    long sleep_ms = -1;
    if (worker.processed_end > worker.keepalive_sent) {
        const long passed =
            TimestampDifferenceMilliseconds(worker.keepalive_at, GetCurrentTimestamp());
        if (passed >= kKeepaliveIntervalMs) {
            send_keepalive();
        } else {
            sleep_ms = kKeepaliveIntervalMs - passed;
        }
    }
    worker.progress->poll();
    const long poll_ms = worker.progress->next_poll_ms();
    if (poll_ms >= 0 && (sleep_ms < 0 || poll_ms < sleep_ms)) sleep_ms = poll_ms;
    return sleep_ms;
}

void ignore_write(LogicalDecodingContext*, XLogRecPtr, TransactionId, bool) {}

void decode() {
    constexpr uint32 kRecordsPerPoll = 256;
    plugin::ring_output = &worker.output;
    worker.output.ring = worker.ring;
    worker.output.progress = worker.progress;
    LogicalDecodingContext* context = CreateDecodingContext(
        worker.start_lsn, NIL, false, wal_reader_routine(), ignore_write, ignore_write, nullptr);
    start_wal_reader(&worker.link, idle_work, nullptr);
    worker.keepalive_sent = worker.processed_end = worker.start_lsn;
    XLogBeginRead(context->reader, MyReplicationSlot->data.restart_lsn);
    for (uint32 records = 0;; ++records) {
        char* problem = nullptr;
        const XLogRecord* record = XLogReadRecord(context->reader, &problem);
        if (record == nullptr) {
            ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                            errmsg("could not read WAL at %X/%X: %s",
                                   LSN_FORMAT_ARGS(context->reader->EndRecPtr),
                                   problem != nullptr ? problem : "no record")));
        }
        LogicalDecodingProcessRecord(context, context->reader);
        if (XLogRecGetRmid(context->reader) == RM_XACT_ID) note_transaction_end();
        worker.processed_end = Max(worker.processed_end, context->reader->EndRecPtr);
        after_record();
        worker.ring->tick();
        if (records % kRecordsPerPoll == 0) {
            ring_if_owed(&worker.link);  // confirming may write to the disk
            worker.progress->poll();
        }
        CHECK_FOR_INTERRUPTS();
    }
}

/// An error on the way: to the launcher if it still waits, to fanoutd otherwise.
void report_failure(LaunchArea* area, bool listening) {
    ErrorData* error = CopyErrorData();
    worker.failed = true;
    if (listening) {
        say_goodbye(error->sqlerrcode, error->message != nullptr ? error->message : "");
    } else {
        copy_error(&area->error, error);
        tell_launcher(area, LaunchState::failed);
    }
}

}  // namespace

}  // namespace fanout::worker

FANOUT_EXPORT void fanout_decoding_worker_main(Datum argument) {
    using namespace fanout::worker;
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    // The server ignores SIGHUP for a worker until here: a reload meanwhile would never be seen.
    ConfigReloadPending = true;

    CurrentResourceOwner = ResourceOwnerCreate(nullptr, "pg_fanout worker start");
    dsm_segment* shared = dsm_attach(DatumGetUInt32(argument));
    if (shared == nullptr) {
        ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE),
                        errmsg("the session that started the worker is gone")));
    }
    dsm_pin_mapping(shared);
    auto* area = static_cast<LaunchArea*>(dsm_segment_address(shared));
    volatile bool listening = false;
    before_shmem_exit(on_exit, 0);
    PG_TRY();
    {
        prepare(area);
        tell_launcher(area, LaunchState::listening);
        listening = true;
        dsm_detach(shared);
        meet_daemon();
        decode();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(TopMemoryContext);
        report_failure(area, listening);
        PG_RE_THROW();
    }
    PG_END_TRY();
}
