// One subscription's thread: keeps a delivery going, waits and tries again where that may help,
// stops and says why where it does not.
//
// Owns the thread, the connector instance and the journal reader. start(), stop() and the outbox's
// reading side belong to the control thread. A lane never waits for another lane, and never holds
// more of the journal than its durable cursor needs.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "sidecar/backfill/plan_box.hpp"
#include "sidecar/host/connector_guard.hpp"
#include "sidecar/journal/journal.hpp"
#include "sidecar/lane/cursor_store.hpp"
#include "sidecar/lane/delivery.hpp"
#include "sidecar/lane/lane_outbox.hpp"
#include "sidecar/lane/lane_settings.hpp"
#include "sidecar/letters/parking.hpp"
#include "sidecar/pacing/backoff.hpp"

namespace fanout::lane {

class Lane {
  public:
    /// `journal`, `connector` and `epoch` (of the stream's present attachment) outlive the lane.
    Lane(LaneSettings settings, const fanout_connector& connector, journal::Journal& journal,
         const std::atomic<std::uint64_t>& epoch, const std::string& cursor_directory,
         std::function<void(LaneEvent)> doorbell);
    /// Stops.
    ~Lane();
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    void start();

    /// Asks the lane to deliver what it has complete and end.
    void request_stop();
    /// request_stop(), then waits: up to `grace` politely, afterwards by interrupting the
    /// connector until the thread has ended.
    void stop(std::chrono::milliseconds grace);

    /// What is to be copied, from now on. Before start() too.
    void set_plan(const backfill::Plan& plan);

    LaneOutbox& outbox() { return outbox_; }
    const LaneSettings& settings() const { return settings_; }
    const letters::DeadLetters& dead_letters() const { return letters_; }
    /// The table the lane was denied, 0 if none.
    Oid32 denied_table() const { return denied_table_; }

  private:
    void run();
    Ending attempt(bool& progressed);
    void show(const Ending& ending);
    void back_off();

    const LaneSettings settings_;
    const fanout_connector& connector_;
    journal::Journal& journal_;
    const std::atomic<std::uint64_t>& epoch_;
    const CursorStore cursors_;
    letters::DeadLetters letters_;
    letters::Parking parking_;
    Status parking_loaded_;  // set before the thread starts
    LaneOutbox outbox_;
    backfill::PlanBox plan_;
    TableCache tables_;
    pacing::Backoff backoff_{kRetryPauseMax};
    std::unique_ptr<journal::JournalReader> reader_;
    std::optional<Standpoint> standpoint_;  // after a delivery that ended with `reopen`

    std::atomic<bool> stop_requested_{false};
    std::atomic<bool> stopping_{false};  // what the connector sees: return soon
    std::atomic<Oid32> denied_table_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    host::ConnectorGuard* connected_ = nullptr;  // with mutex_
    bool ended_ = false;                         // with mutex_
    std::thread thread_;
};

}  // namespace fanout::lane
