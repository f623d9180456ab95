// Tells the catalog how things are: fanout.report(), when something is worth it.
//
// States and answers to wait_for() go at once, progress at most every 250 ms. An idle system falls
// silent: the report's own commit moves the WAL, but what moves only the WAL is no progress (see
// Delivery::publish). Control thread.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>

#include "sidecar/control/reconciler.hpp"
#include "sidecar/source/source_connection.hpp"

namespace fanout::control {

class Reporter {
  public:
    using Clock = std::chrono::steady_clock;

    Reporter(Reconciler& reconciler, std::string daemon, std::string connectors_json)
        : reconciler_(reconciler),
          daemon_(std::move(daemon)),
          connectors_json_(std::move(connectors_json)) {}

    /// A new session: everything is told again, the connectors too.
    void begin_session();

    /// Something rang. Urgent: due now; else 250 ms after the first ring.
    void note(bool urgent);

    /// When the next report is due; the maximum if none is.
    Clock::time_point due_at() const { return due_at_; }

    /// Sends what has changed. False: the connection failed, or the source refused (`problem`).
    bool send(source::SourceConnection& connection, std::string& problem);

  private:
    struct SeenStream {
        stream::StreamSnapshot now;
        bool due = false;
    };

    std::string build();
    void look_at_streams();
    nlohmann::json changed_copies(std::uint32_t subscription, const lane::LaneSnapshot& view);
    stream::StreamSnapshot stream_of(const Reconciler::SubscriptionEntry& entry) const;

    Reconciler& reconciler_;
    const std::string daemon_, connectors_json_;
    std::map<std::uint32_t, SeenStream> streams_seen_;
    std::map<std::pair<std::uint32_t, Oid32>, std::string> copies_told_;
    std::map<std::uint32_t, std::uint64_t> letters_told_;  // in the report under way
    Clock::time_point due_at_ = Clock::time_point::max();
    bool everything_ = true;
    bool connectors_due_ = true;
};

}  // namespace fanout::control
