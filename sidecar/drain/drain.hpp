// From the ring to the journal: the thread that empties the ring.
//
// One Drain per attachment. It owns the connection, the mapping and its thread; the journal
// outlives it. Per turn: peek, check whole records, append them with one write, give the ring back.
// It never confirms what the journal has not fsynced, and never appends what it could not check.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "sidecar/drain/config_message.hpp"
#include "sidecar/drain/ring_mapping.hpp"
#include "sidecar/drain/worker_connection.hpp"
#include "sidecar/journal/journal.hpp"

namespace fanout::drain {

enum class DrainPhase : std::uint8_t {
    draining,
    holding,  // not advancing: journal limit or no room on the disk; `reason` says which
    ended,    // see `end`
};

struct DrainStatus {
    DrainPhase phase = DrainPhase::draining;
    std::string reason;           // why it holds
    Status end;                   // why it ended; ok after stop()
    std::string worker_sqlstate;  // of the worker's last words, if any
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::uint64_t transactions_skipped = 0;  // were in the journal already
    Lsn acknowledged_lsn = 0;                // last durable LSN given to the worker
};

/// All are called on the drain thread and must not block.
struct DrainCallbacks {
    /// Before the commit becomes visible to lanes. By then the journal keeps what lies behind it
    /// for an added subscription (Journal::want), and nothing any more for a dropped one.
    std::function<void(const SubscriptionNews&)> on_subscription;
    /// The phase changed. `ended` comes once and last: retry = the worker left (attach again),
    /// corruption = the ring's bytes are wrong (attach again: decoded anew), io = the journal's
    /// sync failed (see Journal::failure()), fatal = a person has to act.
    std::function<void(const DrainStatus&)> on_change;
    /// The server has begun to shut down and waits for its clients; the worker stays meanwhile.
    std::function<void()> on_source_leaving{};
};

class DrainLoop;

class Drain {
  public:
    Drain(journal::Journal& journal, DrainCallbacks callbacks);
    /// Stops and joins.
    ~Drain();
    Drain(const Drain&) = delete;
    Drain& operator=(const Drain&) = delete;

    /// journal.begin_attachment() on the calling thread, then starts the thread. Once per Drain,
    /// or again after stop().
    Status start(RingMapping mapping, WorkerConnection connection);

    /// Ends the thread after the present turn; what is left in the ring is decoded again. Closes
    /// the socket, so that the worker leaves. Any thread but the drain's own; idempotent.
    void stop();

    DrainStatus status() const;

  private:
    journal::Journal& journal_;
    const DrainCallbacks callbacks_;
    std::mutex stop_mutex_;
    std::thread thread_;
    mutable std::mutex mutex_;         // the next two
    std::unique_ptr<DrainLoop> loop_;  // while attached
    DrainStatus last_status_;          // after stop()
};

}  // namespace fanout::drain
