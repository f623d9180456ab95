// Callbacks at the end of transactions and subtransactions. They run in the middle of an abort, so
// whatever goes wrong is a warning.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/functions/slot_undo.hpp"
#include "pg_extension/worker/slot_checks.hpp"

namespace fanout::functions {

namespace {

struct MadeSlot {
    NameData name;
    SubTransactionId made_in;
};

/// One transaction rarely makes more than one. Those beyond are like before: fanout.check() names
/// what is left over.
constexpr int kRoom = 8;
MadeSlot made[kRoom];
int made_count = 0;
bool registered = false;

void drop_quietly(const char* slot) {
    if (MyReplicationSlot != nullptr || !worker::is_idle_slot(slot)) return;
    MemoryContext caller = CurrentMemoryContext;
    PG_TRY();
    { ReplicationSlotDrop(slot, true); }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        ErrorData* error = CopyErrorData();
        FlushErrorState();
        ereport(WARNING,
                (errmsg("replication slot \"%s\" was made by a transaction that is rolled back, "
                        "and stays: %s",
                        slot, error->message),
                 errhint("SELECT pg_drop_replication_slot('%s');", slot)));
    }
    PG_END_TRY();
}

void at_end(XactEvent event, void*) {
    if (event == XACT_EVENT_ABORT) {
        while (made_count > 0)
            drop_quietly(NameStr(made[--made_count].name));
    } else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) {
        made_count = 0;
    }
}

void at_end_of_subtransaction(SubXactEvent event, SubTransactionId ended, SubTransactionId parent,
                              void*) {
    if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB) return;
    for (int i = made_count - 1; i >= 0; --i) {
        if (made[i].made_in != ended) continue;
        if (event == SUBXACT_EVENT_COMMIT_SUB) {
            made[i].made_in = parent;
            continue;
        }
        const NameData name = made[i].name;
        made[i] = made[--made_count];
        drop_quietly(NameStr(name));
    }
}

}  // namespace

void drop_on_rollback(const char* slot) {
    if (!registered) {
        RegisterXactCallback(at_end, nullptr);
        RegisterSubXactCallback(at_end_of_subtransaction, nullptr);
        registered = true;
    }
    if (made_count == kRoom) return;
    namestrcpy(&made[made_count].name, slot);
    made[made_count++].made_in = GetCurrentSubTransactionId();
}

void forget_slot(const char* slot) {
    for (int i = made_count - 1; i >= 0; --i) {
        if (strcmp(NameStr(made[i].name), slot) == 0) made[i] = made[--made_count];
    }
}

}  // namespace fanout::functions
