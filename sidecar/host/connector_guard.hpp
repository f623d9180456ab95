// One instance of a connector, safe to call: outcomes are values, exceptions stop here, the
// instance is destroyed with its owner.
//
// Thread: that of its lane; interrupt() any. Owns the instance and the host callbacks it was given.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "fanout/connector/abi.h"
#include "sidecar/host/option_check.hpp"

namespace fanout::host {

/// How a call ended, with the connector's own words.
struct Outcome {
    fanout_outcome code = FANOUT_OK;
    std::string message, hint;
    Position at{};  // the change at fault, zero if unknown
    bool ok() const { return code == FANOUT_OK; }
};

class ConnectorGuard {
  public:
    /// `subscription` marks the connector's log lines; `stopping` must outlive the guard.
    ConnectorGuard(const fanout_connector& connector, std::string subscription,
                   const std::atomic<bool>& stopping);
    ~ConnectorGuard();
    ConnectorGuard(const ConnectorGuard&) = delete;
    ConnectorGuard& operator=(const ConnectorGuard&) = delete;

    /// Makes the instance; everything else needs it.
    Outcome create(const CheckedOptions& options);
    Outcome open(const fanout_session& session, fanout_cursor& cursor);
    Outcome write(const fanout_batch& batch);
    Outcome flush(const fanout_cursor& cursor);
    Outcome settle(fanout_settle until, fanout_progress& progress);  // if it flushes ahead
    /// If it flushes ahead: also after a call that failed.
    fanout_progress progress() const noexcept;
    void close() noexcept;
    void interrupt() noexcept;  // any thread
    Outcome test();
    Outcome put_note(const std::string& name, const char* text);
    Outcome read_notes(std::map<std::string, std::string>& notes);
    Outcome prepare_table(const fanout_table& table, bool must_be_empty);
    Outcome create_index(const fanout_table& table, const fanout_index& index,
                         bool own_tables_only);  // if it creates indexes

    bool keeps_cursor() const { return (connector_.capabilities & FANOUT_CAP_TARGET_CURSOR) != 0; }
    bool keeps_notes() const { return (connector_.capabilities & FANOUT_CAP_NOTES) != 0; }
    bool wants_messages() const { return (connector_.capabilities & FANOUT_CAP_MESSAGES) != 0; }
    bool creates_tables() const {
        return (connector_.capabilities & FANOUT_CAP_CREATE_TABLES) != 0;
    }
    bool applies_ddl() const { return (connector_.capabilities & FANOUT_CAP_DDL) != 0; }
    bool sets_sequences() const { return (connector_.capabilities & FANOUT_CAP_SEQUENCES) != 0; }
    bool creates_indexes() const { return (connector_.capabilities & FANOUT_CAP_INDEXES) != 0; }
    bool flushes_ahead() const { return (connector_.capabilities & FANOUT_CAP_FLUSH_AHEAD) != 0; }
    const char* name() const { return connector_.name; }

  private:
    static void on_log(void* context, int level, const char* message);
    static int on_stopping(void* context);

    const fanout_connector& connector_;
    const std::string subscription_;
    const std::atomic<bool>& stopping_;
    fanout_host host_{};
    std::atomic<void*> self_{nullptr};
};

}  // namespace fanout::host
