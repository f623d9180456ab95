// fanout.create_slot and fanout.drop_slot: the two slot functions of the server, for members of
// fanout_admin (who get EXECUTE) instead of roles with REPLICATION.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/functions/slot_undo.hpp"
#include "pg_extension/worker/slot_checks.hpp"
#include "pg_extension/worker/worker_launch.hpp"

namespace {

/// Creating a slot finds the place in WAL from which every transaction is known whole. That waits
/// for the transactions that run now, and must not hold one itself.
XLogRecPtr find_consistent_point(const char* plugin) {
    XLogReaderRoutine routine{};
    routine.page_read = read_local_xlog_page;
    routine.segment_open = wal_segment_open;
    routine.segment_close = wal_segment_close;
    LogicalDecodingContext* context =
        CreateInitDecodingContext(const_cast<char*>(plugin), NIL, false, InvalidXLogRecPtr,
                                  &routine, nullptr, nullptr, nullptr);
    DecodingContextFindStartpoint(context);
    FreeDecodingContext(context);
    return MyReplicationSlot->data.confirmed_flush;
}

}  // namespace

FANOUT_SQL_FUNCTION(fanout_create_slot) {
    using namespace fanout;
    const char* name = NameStr(*PG_GETARG_NAME(0));
    worker::check_server();
    if (MyReplicationSlot != nullptr) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("this session already holds a replication slot")));
    }
    server::create_slot(name);
    const XLogRecPtr start = find_consistent_point(worker::kPluginName);
    ReplicationSlotPersist();
    ReplicationSlotRelease();
    functions::drop_on_rollback(name);
    PG_RETURN_LSN(start);
}

FANOUT_SQL_FUNCTION(fanout_drop_slot) {
    using namespace fanout;
    const char* name = NameStr(*PG_GETARG_NAME(0));
    worker::check_slot_is_ours(name);
    (void)worker::stop_worker(name);
    ReplicationSlotDrop(name, true);
    functions::forget_slot(name);
    PG_RETURN_VOID();
}
