// What a lane tells the reporter: a board with its present state, and events that say when to
// look.
//
// The lane thread writes, the control thread reads. Progress rings once until it was looked at, so
// a busy lane costs the control thread nothing between two reports.
#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/connector/abi.h"
#include "sidecar/backfill/request.hpp"
#include "sidecar/lane/retry_policy.hpp"
#include "sidecar/lane/table_cache.hpp"

namespace fanout::lane {

/// A lane at one moment.
struct LaneSnapshot {
    LaneState state = LaneState::starting;
    fanout_cursor cursor{};  // delivered, keepalives included
    bool waiting = false;    // for the journal to grow
    bool caught_up = false;  // waiting, and not inside a transaction
    std::uint64_t rows_read = 0, rows_delivered = 0, rows_filtered = 0, rows_dead_lettered = 0;
    Lsn filtered_up_to = 0;  // transactions whose filtered rows are counted
    Lsn stopped_lsn = 0;     // the transaction that a person may skip; 0 if there is none
    std::uint64_t transactions = 0, retries = 0;
    std::string last_error, last_error_hint;  // kept after recovery, with its time
    std::chrono::system_clock::time_point last_error_at{};
    std::vector<TableCount> tables;
    std::vector<backfill::Report> backfills;
};

enum class LaneEvent : std::uint8_t {
    progress,   // rows became durable, or began to wait: report soon
    state,      // report now
    requested,  // somebody waits for the cursor: report now
};

class LaneOutbox {
  public:
    /// `doorbell` wakes the control thread; called on the lane's thread.
    explicit LaneOutbox(std::function<void(LaneEvent)> doorbell) : doorbell_(std::move(doorbell)) {}

    // ---- lane thread

    /// Changes the board under its lock.
    template <typename F>
    void update(F&& change) {
        const std::lock_guard lock(mutex_);
        change(board_);
    }
    void post(LaneEvent event);

    // ---- control thread

    struct News {
        bool any = false;
        bool urgent = false;
    };
    /// Takes all events; snapshot() afterwards has at least what they were about.
    News take_events();

    // ---- any thread
    LaneSnapshot snapshot() const;

  private:
    static constexpr std::size_t kEventsMax = 64;

    std::function<void(LaneEvent)> doorbell_;
    mutable std::mutex mutex_;
    LaneSnapshot board_;
    boost::lockfree::spsc_queue<LaneEvent, boost::lockfree::capacity<kEventsMax>> events_;
    std::atomic<bool> progress_waits_{false};
};

}  // namespace fanout::lane
