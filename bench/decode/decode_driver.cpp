// Decodes one slot's WAL, up to what is flushed, with whatever output plugin the slot names, in a
// background worker of its own and outside any transaction, as the decoding worker does; output is
// counted and dropped. Writes one line with the CPU it used into the server's log. Bench only:
// every contestant meets the same WAL, the same reader and the same process model.
#include <sys/resource.h>

#include "pg_extension/pg.hpp"

#pragma GCC visibility push(default)
extern "C" {
PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(fanout_bench_decode);
void fanout_bench_main(Datum argument);
}
#pragma GCC visibility pop

namespace {

constexpr int kSlotBytes = 48;

uint64 bytes_written = 0;
uint64 changes_shown = 0;
LogicalDecodeChangeCB plugin_change = nullptr;

void prepare_write(LogicalDecodingContext* context, XLogRecPtr, TransactionId, bool) {
    resetStringInfo(context->out);
}

void write_nowhere(LogicalDecodingContext* context, XLogRecPtr, TransactionId, bool) {
    bytes_written += static_cast<uint64>(context->out->len);
}

/// Counts what every plugin is given: proof that all met the same.
void count_change(LogicalDecodingContext* context, ReorderBufferTXN* txn, Relation relation,
                  ReorderBufferChange* change) {
    ++changes_shown;
    plugin_change(context, txn, relation, change);
}

/// "a=b;c=d" → the option list an output plugin gets.
List* parse_options(char* text) {
    List* options = NIL;
    for (char* rest = text; rest != nullptr && *rest != '\0';) {
        char* next = strchr(rest, ';');
        if (next != nullptr) *next++ = '\0';
        char* value = strchr(rest, '=');
        if (value != nullptr) *value++ = '\0';
        Node* node =
            value == nullptr ? nullptr : reinterpret_cast<Node*>(makeString(pstrdup(value)));
        auto* option = makeNode(DefElem);
        option->defname = pstrdup(rest);
        option->arg = node;
        option->location = -1;
        options = lappend(options, option);
        rest = next;
    }
    return options;
}

int64 microseconds(const timeval& time) {
    return time.tv_sec * INT64CONST(1000000) + time.tv_usec;
}

void decode_to_the_end(LogicalDecodingContext* context) {
    const XLogRecPtr end = GetFlushRecPtr(nullptr);
    XLogBeginRead(context->reader, MyReplicationSlot->data.restart_lsn);
    while (context->reader->EndRecPtr < end) {
        char* error = nullptr;
        XLogRecord* record = XLogReadRecord(context->reader, &error);
        if (error != nullptr) elog(ERROR, "could not read WAL: %s", error);
        if (record != nullptr) LogicalDecodingProcessRecord(context, context->reader);
        CHECK_FOR_INTERRUPTS();
    }
}

}  // namespace

extern "C" void fanout_bench_main(Datum argument) {
    char extra[BGW_EXTRALEN];
    memcpy(extra, MyBgworkerEntry->bgw_extra, sizeof extra);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, 0);
    CurrentResourceOwner = ResourceOwnerCreate(nullptr, "fanout bench");
    MemoryContextSwitchTo(
        AllocSetContextCreate(TopMemoryContext, "fanout bench", ALLOCSET_DEFAULT_SIZES));

    SetConfigOption("logical_decoding_work_mem", "256MB", PGC_SUSET, PGC_S_OVERRIDE);
    ReplicationSlotAcquire(extra, true);
    XLogReaderRoutine routine{};
    routine.page_read = &read_local_xlog_page;
    routine.segment_open = &wal_segment_open;
    routine.segment_close = &wal_segment_close;
    LogicalDecodingContext* context =
        CreateDecodingContext(InvalidXLogRecPtr, parse_options(extra + kSlotBytes), false, &routine,
                              prepare_write, write_nowhere, nullptr);

    plugin_change = context->callbacks.change_cb;
    context->callbacks.change_cb = count_change;

    rusage before{}, after{};
    const TimestampTz started = GetCurrentTimestamp();
    getrusage(RUSAGE_SELF, &before);
    decode_to_the_end(context);
    getrusage(RUSAGE_SELF, &after);
    ereport(
        LOG,
        (errmsg(
            "fanout_bench slot=%s user_us=%lld system_us=%lld wall_us=%lld "
            "changes=%llu bytes=%llu rss_kb=%ld",
            extra,
            static_cast<long long>(microseconds(after.ru_utime) - microseconds(before.ru_utime)),
            static_cast<long long>(microseconds(after.ru_stime) - microseconds(before.ru_stime)),
            static_cast<long long>(GetCurrentTimestamp() - started),
            static_cast<unsigned long long>(changes_shown),
            static_cast<unsigned long long>(bytes_written), after.ru_maxrss)));
    // Nothing is confirmed: the next run meets the same WAL.
    FreeDecodingContext(context);
    ReplicationSlotRelease();
    proc_exit(0);
}

/// fanout_bench_decode(slot text, options text): starts the worker and waits for its end.
extern "C" Datum fanout_bench_decode(PG_FUNCTION_ARGS) {
    char* slot = text_to_cstring(PG_GETARG_TEXT_PP(0));
    char* options = text_to_cstring(PG_GETARG_TEXT_PP(1));
    if (strlen(slot) >= kSlotBytes || strlen(options) >= BGW_EXTRALEN - kSlotBytes) {
        ereport(ERROR, (errmsg("slot name or options are too long for this bench")));
    }
    BackgroundWorker worker{};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_notify_pid = MyProcPid;
    worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
    strlcpy(worker.bgw_name, "fanout bench", BGW_MAXLEN);
    strlcpy(worker.bgw_type, "fanout bench", BGW_MAXLEN);
    strlcpy(worker.bgw_library_name, "fanout_bench", BGW_MAXLEN);
    strlcpy(worker.bgw_function_name, "fanout_bench_main", BGW_MAXLEN);
    strlcpy(worker.bgw_extra, slot, kSlotBytes);
    strlcpy(worker.bgw_extra + kSlotBytes, options, BGW_EXTRALEN - kSlotBytes);
    BackgroundWorkerHandle* handle = nullptr;
    if (!RegisterDynamicBackgroundWorker(&worker, &handle)) {
        ereport(ERROR, (errmsg("no background worker is free")));
    }
    WaitForBackgroundWorkerShutdown(handle);
    PG_RETURN_VOID();
}
