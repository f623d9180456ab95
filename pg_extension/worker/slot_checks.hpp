// Questions about replication slots that several parts ask, with errors that say what to do.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::worker {

inline constexpr const char* kPluginName = "pg_fanout";

/// This server can decode at all: wal_level, not in recovery, and the plugin is on the
/// administrator's list (output_plugin_libraries), where the server has such a list.
void check_server();

/// The slot exists, is one of ours in this database, and still has its WAL.
void check_slot(const char* name);

/// The same without the WAL: enough to drop or stop.
void check_slot_is_ours(const char* name);

/// There is such a slot of ours in this database, and no process has it.
bool is_idle_slot(const char* name);

/// The process that has the slot, 0 if none has or there is no such slot.
pid_t slot_user(const char* name);

bool is_decoding_worker(pid_t pid);

/// Waits until `pid` no longer has the slot. False after `timeout_ms`.
bool wait_until_free(const char* name, pid_t pid, int timeout_ms);

/// Names of the slots of this database that use the plugin, as a List of char*.
List* own_slots();

}  // namespace fanout::worker
