// Makes what runs equal to what the catalog says: streams attached or not, lanes running or not.
//
// Owns all streams and lanes. Works on differences: a changed target restarts its lanes and no
// others. Called with every new configuration and, with the last one, whenever a stream reports a
// change. Control thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/host/connector_loader.hpp"
#include "sidecar/lane/lane.hpp"
#include "sidecar/source/source_config.hpp"
#include "sidecar/state/state_dir.hpp"
#include "sidecar/stream/stream_runtime.hpp"

namespace fanout::control {

/// What the reconciler is given; all of it outlives it.
struct ReconcilerParts {
    const config::Config& config;
    const host::ConnectorRegistry& connectors;
    const state::StateDir& state;
    std::string daemon;                         // host:pid
    std::function<void(bool urgent)> doorbell;  // any thread
};

/// Asked of the source: may `role` read table `oid`?
using MayRead = std::function<bool(const std::string& role, Oid32 oid)>;

class Reconciler {
  public:
    struct SubscriptionEntry {
        source::SubscriptionDef def;
        backfill::Plan copies;
        std::unique_ptr<lane::Lane> lane;  // null while it rests
        lane::LaneSnapshot resting;        // what to report then
        bool report_due = true;
        std::uint64_t letters_reported = 0;  // version of its dead letters the source knows
    };
    struct StreamEntry {
        source::StreamDef def;
        std::unique_ptr<stream::StreamRuntime> runtime;  // null if its journal cannot be opened
        std::string open_error;
    };

    explicit Reconciler(ReconcilerParts parts)
        : parts_(std::move(parts)), limits_(parts_.config.reloadable) {}
    ~Reconciler();

    /// A configuration that was just read.
    void apply(const source::SourceConfig& config, const MayRead& may_read);
    /// The last configuration again: starts what could not start before.
    void refresh();
    /// Tries refused streams at once; for a configuration somebody has changed.
    void attach_now();
    void trim(bool always);
    /// The journals' limits, of those that are open and of those to come.
    void set_limits(const config::Reloadable& limits);

    /// A worker said since the last call that the source begins to shut down.
    bool take_source_leaving();

    /// Lanes deliver what they hold, streams detach. Afterwards nothing runs.
    void stop_all();

    /// Not ok once a journal could not be synced: the daemon has to leave by discard_unsynced().
    Status journal_failure() const;
    void discard_unsynced();

    std::map<std::uint32_t, SubscriptionEntry>& subscriptions() { return subscriptions_; }
    const std::map<std::uint32_t, StreamEntry>& streams() const { return streams_; }

  private:
    void apply_streams(const std::vector<source::StreamDef>& defs);
    void open_stream(StreamEntry& entry);
    void close_stream(std::uint32_t id);
    void apply_subscription(const source::SubscriptionDef& def, const MayRead& may_read);
    void apply_copies(SubscriptionEntry& entry, const backfill::Plan& plan);
    void drop_subscription(std::uint32_t id);
    void start_lane(SubscriptionEntry& entry);
    void stop_lane(SubscriptionEntry& entry);
    void rest(SubscriptionEntry& entry, lane::LaneState state, const std::string& error,
              const std::string& hint);
    void pin_journal(const SubscriptionEntry& entry, stream::StreamRuntime& runtime);
    void take_news();
    StreamEntry* stream_of(const std::string& name);

    ReconcilerParts parts_;
    config::Reloadable limits_;
    std::string system_identifier_;
    Oid32 database_oid_ = 0;
    std::map<std::uint32_t, StreamEntry> streams_;
    std::map<std::uint32_t, SubscriptionEntry> subscriptions_;
    std::map<std::uint32_t, Lsn> created_at_;  // commits of creations that passed by
    std::map<std::uint32_t, std::map<Oid32, Lsn>> permitted_;
};

}  // namespace fanout::control
