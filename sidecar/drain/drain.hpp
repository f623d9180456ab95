// From the ring to the journal: the thread that empties the ring.
//
// One Drain per attachment. It owns the connection, the mapping and its thread; the journal
// outlives it. Per turn: peek, check whole records, append them with one write, give the ring back.
// It never confirms what the journal has not fsynced, and never appends what it could not check.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "sidecar/drain/ring_mapping.hpp"
#include "sidecar/drain/worker_connection.hpp"
#include "sidecar/journal/journal.hpp"

namespace fanout::drain {

/// A committed subscription change, seen in the stream (message prefix pg_fanout.config).
struct SubscriptionNews {
    bool added = false;  // else dropped
    journal::SubscriptionId subscription = 0;
    Lsn commit_lsn = 0;  // of the transaction that made the change
};

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
    /// Before the commit becomes visible to lanes, and before any trim can pass it.
    std::function<void(const SubscriptionNews&)> on_subscription;
    /// The phase changed. `ended` comes once and last: retry = the worker left (attach again),
    /// corruption = the ring's bytes are wrong (attach again: decoded anew), io = the journal's
    /// sync failed (see Journal::failure()), fatal = a person has to act.
    std::function<void(const DrainStatus&)> on_change;
};

class Drain {
  public:
    explicit Drain(journal::Journal& journal, DrainCallbacks callbacks);
    /// Stops and joins.
    ~Drain();
    Drain(const Drain&) = delete;
    Drain& operator=(const Drain&) = delete;

    /// journal.begin_attachment() on the calling thread, then starts the thread.
    Status start(RingMapping mapping, WorkerConnection connection);

    /// Ends the thread after the present turn; what is left in the ring is decoded again. Closes
    /// the socket, so that the worker leaves. Any thread but the drain's own; idempotent.
    void stop();

    DrainStatus status() const;

  private:
    class Loop;
    journal::Journal& journal_;
    DrainCallbacks callbacks_;
    std::unique_ptr<Loop> loop_;
    std::thread thread_;
};

}  // namespace fanout::drain
