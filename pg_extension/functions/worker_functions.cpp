// fanout.launch_worker and fanout.stop_worker.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/worker/slot_checks.hpp"
#include "pg_extension/worker/worker_launch.hpp"

namespace {

enum Argument : int { kSlot = 0, kStream, kEpoch, kStartLsn, kRingBytes, kArgumentCount };

fanout::worker::LaunchRequest read_request(FunctionCallInfo fcinfo) {
    for (int i = 0; i < kArgumentCount; ++i) {
        if (i == kStartLsn || !PG_ARGISNULL(i)) continue;
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument %d of fanout.launch_worker must not be null", i + 1)));
    }
    fanout::worker::LaunchRequest request{};
    request.database = MyDatabaseId;
    request.slot = *PG_GETARG_NAME(kSlot);
    request.stream_id = PG_GETARG_INT32(kStream);
    request.epoch = static_cast<uint32>(PG_GETARG_INT64(kEpoch));
    request.start_lsn = PG_ARGISNULL(kStartLsn) ? InvalidXLogRecPtr : PG_GETARG_LSN(kStartLsn);
    request.ring_bytes = static_cast<uint64>(PG_GETARG_INT64(kRingBytes));
    return request;
}

}  // namespace

FANOUT_SQL_FUNCTION(fanout_launch_worker) {
    using namespace fanout::worker;
    TupleDesc shape = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE) {
        elog(ERROR, "fanout.launch_worker must return a row");
    }
    const LaunchRequest request = read_request(fcinfo);
    check_server();
    check_slot(NameStr(request.slot));
    auto* facts = static_cast<LaunchArea*>(palloc0(sizeof(LaunchArea)));
    launch_worker(request, facts);
    Datum values[] = {
        CStringGetTextDatum(facts->socket_path),
        CStringGetTextDatum(facts->token),
        Int32GetDatum(static_cast<int32>(facts->worker_pid)),
        LSNGetDatum(facts->confirmed_lsn),
        CStringGetTextDatum(psprintf(UINT64_FORMAT, GetSystemIdentifier())),
        Int32GetDatum(static_cast<int32>(facts->timeline)),
    };
    bool nulls[lengthof(values)] = {};
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}

FANOUT_SQL_FUNCTION(fanout_stop_worker) {
    using namespace fanout::worker;
    const char* slot = NameStr(*PG_GETARG_NAME(0));
    if (slot_user(slot) == 0) PG_RETURN_BOOL(false);
    check_slot_is_ours(slot);
    PG_RETURN_BOOL(stop_worker(slot));
}
