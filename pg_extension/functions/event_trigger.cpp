// Runs before DROP EXTENSION: a worker must not go on with tables that are gone, and the slots,
// which belong to the cluster and hold WAL, do not go with the extension.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/worker/slot_checks.hpp"
#include "pg_extension/worker/worker_launch.hpp"

namespace {

bool drops_us(const EventTriggerData* event) {
    if (!IsA(event->parsetree, DropStmt)) return false;
    const auto* statement = reinterpret_cast<const DropStmt*>(event->parsetree);
    if (statement->removeType != OBJECT_EXTENSION) return false;
    ListCell* cell = nullptr;
    foreach (cell, statement->objects) {
        if (strcmp(strVal(lfirst(cell)), fanout::worker::kPluginName) == 0) return true;
    }
    return false;
}

/// The trigger runs before the server has looked whether the command is allowed.
bool may_drop() {
    const Oid extension = get_extension_oid(fanout::worker::kPluginName, true);
    return OidIsValid(extension) && fanout::server::owns_extension(extension);
}

}  // namespace

FANOUT_SQL_FUNCTION(fanout_on_drop_extension) {
    using namespace fanout::worker;
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("fanout.on_drop_extension() runs only as an event trigger")));
    }
    const auto* event = reinterpret_cast<const EventTriggerData*>(fcinfo->context);
    if (!drops_us(event) || !may_drop()) PG_RETURN_NULL();
    ListCell* cell = nullptr;
    foreach (cell, own_slots()) {
        const char* slot = static_cast<const char*>(lfirst(cell));
        (void)stop_worker(slot);
        ereport(WARNING,
                (errmsg("replication slot \"%s\" stays behind and holds WAL", slot),
                 errhint("SELECT pg_drop_replication_slot(%s);", quote_literal_cstr(slot))));
    }
    PG_RETURN_NULL();
}
