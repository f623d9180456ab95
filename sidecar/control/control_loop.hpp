// The control thread: one session at the source, in which configuration comes in and reports go
// out.
//
// Sleeps until the source notifies, a lane or stream rings, a report is due, or half a minute has
// passed (then the configuration is read again, in case a notification was lost). Without a
// source it tries again with back-off; streams and lanes go on meanwhile. Owns the reconciler.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "fanout/base/status.hpp"
#include "sidecar/control/reconciler.hpp"
#include "sidecar/control/reporter.hpp"
#include "sidecar/pacing/backoff.hpp"
#include "sidecar/source/source_connection.hpp"
#include "sidecar/source/wake_fd.hpp"

namespace fanout::control {

/// Rung by lanes and streams, emptied by the control thread.
class Doorbell {
  public:
    void ring(bool urgent) {
        if (urgent) urgent_ = true;
        wake_.ring();
    }
    /// True if somebody was in a hurry.
    bool take() {
        wake_.clear();
        return urgent_.exchange(false);
    }
    int fd() const { return wake_.fd(); }

  private:
    source::WakeFd wake_;
    std::atomic<bool> urgent_{false};
};

/// How often a source that was lost is asked for: well within the 10 s after which
/// fanout.wait_for() takes a daemon without a session for gone.
inline pacing::Backoff source_backoff() {
    return pacing::Backoff(std::chrono::seconds(5));
}

class ControlLoop {
  public:
    ControlLoop(const config::Config& config, const host::ConnectorRegistry& connectors,
                state::StateDir& state);

    /// Until request_stop() or a failure that ends the daemon; then everything is stopped. The
    /// status says why it ended.
    Status run();

    /// Any thread.
    void request_stop();
    /// Any thread: the limits take effect as soon as the control thread is awake.
    void reload(const config::Reloadable& settings);

  private:
    Status session();
    Status connect();
    Status reconcile();
    Status first_contact(const source::SourceConfig& config);
    Status wait_for_events();
    void pause_after(const Status& status);
    void say_goodbye();
    void take_reloaded();

    const config::Config& config_;
    state::StateDir& state_;
    Doorbell doorbell_;
    source::WakeFd stop_;
    std::atomic<bool> stop_requested_{false};
    std::mutex reload_mutex_;
    std::optional<config::Reloadable> reloaded_;  // with reload_mutex_
    const std::string daemon_;
    Reconciler reconciler_;
    Reporter reporter_;
    pacing::Backoff backoff_ = source_backoff();
    std::optional<source::SourceConnection> connection_;
    Reporter::Clock::time_point reconcile_at_{};
    std::string last_problem_;
    bool source_known_ = false;
    Status fatal_;  // ends the daemon
};

}  // namespace fanout::control
