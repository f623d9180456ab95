// Looking at the slot array, and the checks that come before any work.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/worker/slot_checks.hpp"
//
#include "pg_extension/worker/decoding_worker.hpp"

namespace fanout::worker {

namespace {

struct SlotFacts {
    bool exists, usable, ours;
    Oid database;
    NameData plugin;
    pid_t active_pid;
};

SlotFacts look(const ReplicationSlot* slot) {
    SlotFacts facts{};
    SpinLockAcquire(const_cast<slock_t*>(&slot->mutex));
    facts.exists = true;
    facts.usable = server::slot_is_usable(slot);
    facts.database = slot->data.database;
    facts.plugin = slot->data.plugin;
    facts.active_pid = slot->active_pid;
    SpinLockRelease(const_cast<slock_t*>(&slot->mutex));
    facts.ours = facts.database == MyDatabaseId && strcmp(NameStr(facts.plugin), kPluginName) == 0;
    return facts;
}

SlotFacts find_slot(const char* name) {
    SlotFacts facts{};
    LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
    for (int i = 0; i < max_replication_slots; ++i) {
        const ReplicationSlot* slot = &ReplicationSlotCtl->replication_slots[i];
        if (!slot->in_use || strcmp(NameStr(slot->data.name), name) != 0) continue;
        facts = look(slot);
        break;
    }
    LWLockRelease(ReplicationSlotControlLock);
    return facts;
}

/// The server refuses plugins that are not on this list (CVE-2026-6471). Its own error does not say
/// the statement; whoever is not allowed gets no further here either.
void check_plugin_list() {
    const char* listed = GetConfigOption("output_plugin_libraries", true, false);
    if (listed == nullptr) return;
    List* names = NIL;
    if (!SplitDirectoriesString(pstrdup(listed), ',', &names)) return;
    ListCell* cell = nullptr;
    foreach (cell, names) {
        if (strcmp(static_cast<const char*>(lfirst(cell)), kPluginName) == 0) return;
    }
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("output plugin pg_fanout is not listed in output_plugin_libraries"),
                    errdetail("The server runs only output plugins that its administrator has "
                              "listed; the list is: %s",
                              listed),
                    errhint("ALTER SYSTEM SET output_plugin_libraries = %s%spg_fanout; SELECT "
                            "pg_reload_conf();",
                            listed, names == NIL ? "" : ", ")));
}

}  // namespace

void check_server() {
    if (RecoveryInProgress()) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("pg_fanout cannot decode on a standby"),
                        errhint("Attach to the primary.")));
    }
    if (wal_level < WAL_LEVEL_LOGICAL) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("pg_fanout needs wal_level = logical"),
                        errhint("ALTER SYSTEM SET wal_level = logical; then restart the server.")));
    }
    check_plugin_list();
    CheckLogicalDecodingRequirements();
}

void check_slot_is_ours(const char* name) {
    const SlotFacts facts = find_slot(name);
    if (!facts.exists) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("replication slot \"%s\" does not exist", name),
                        errhint("fanout.start_stream() creates the slot of a stream.")));
    }
    if (!facts.ours) {
        ereport(ERROR,
                (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                 errmsg("replication slot \"%s\" is not one of pg_fanout in this database", name)));
    }
}

void check_slot(const char* name) {
    check_slot_is_ours(name);
    if (!find_slot(name).usable) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("replication slot \"%s\" has lost the WAL it needs", name),
                        errhint("See max_slot_wal_keep_size. Create the stream anew and "
                                "resynchronize its targets.")));
    }
}

bool is_idle_slot(const char* name) {
    const SlotFacts facts = find_slot(name);
    return facts.exists && facts.ours && facts.active_pid == 0;
}

pid_t slot_user(const char* name) {
    return find_slot(name).active_pid;
}

bool is_decoding_worker(pid_t pid) {
    const char* type = GetBackgroundWorkerTypeByPid(pid);
    return type != nullptr && strcmp(type, kWorkerType) == 0;
}

bool wait_until_free(const char* name, pid_t pid, int timeout_ms) {
    constexpr int kStepMs = 10;
    for (int waited = 0; slot_user(name) == pid; waited += kStepMs) {
        if (waited >= timeout_ms) return false;
        CHECK_FOR_INTERRUPTS();
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kStepMs,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
    return true;
}

List* own_slots() {
    List* names = NIL;
    LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
    for (int i = 0; i < max_replication_slots; ++i) {
        const ReplicationSlot* slot = &ReplicationSlotCtl->replication_slots[i];
        if (!slot->in_use || !look(slot).ours) continue;
        names = lappend(names, pstrdup(NameStr(slot->data.name)));
    }
    LWLockRelease(ReplicationSlotControlLock);
    return names;
}

}  // namespace fanout::worker
