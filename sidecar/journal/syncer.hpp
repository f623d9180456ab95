// The sync thread: makes what was appended durable, many appends at a time.
//
// The drain thread hands over (offset, end LSN) points through a lock-free queue; this thread takes
// all that wait, syncs the files they lie in, and publishes the last of them. A failed sync is
// final: nothing later is ever published, and the owner has to give the unsynced tail up.
#pragma once

#include <boost/lockfree/spsc_queue.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "fanout/base/status.hpp"
#include "sidecar/journal/doorbell.hpp"
#include "sidecar/journal/segment_catalog.hpp"

namespace fanout::journal {

/// Up to `offset` everything is written; once that is on disk, `end_lsn` is durable.
struct SyncPoint {
    std::uint64_t offset = 0;
    Lsn end_lsn = 0;
};

class Syncer {
  public:
    using Listener = std::function<void(Lsn)>;

    Syncer(std::string directory, std::shared_ptr<Files> files, SegmentCatalog& catalog,
           std::chrono::milliseconds interval);
    /// Syncs what is there, joins.
    ~Syncer();
    Syncer(const Syncer&) = delete;
    Syncer& operator=(const Syncer&) = delete;

    /// Drain thread only.
    void note(const SyncPoint& point);

    /// Any thread but the sync thread: waits until all that is appended now is on disk.
    Status sync_now();

    /// Syncs what is there and ends the thread. Idempotent.
    void stop();

    Status failure() const;

    /// Called on the sync thread after a sync that moved the durable end, and after a failure.
    void set_listener(Listener listener);

  private:
    void run();
    bool sync_once();
    bool wait_for_work();
    void pace();
    SyncPoint take_target();
    Status sync_to(const SyncPoint& target);
    Status sync_segment(Segment& segment, bool predecessor_is_durable);
    void publish(const SyncPoint& target, const Status& status);

    static constexpr std::size_t kQueuedPointsMax = 1024;

    const std::string directory_;
    const std::shared_ptr<Files> files_;
    SegmentCatalog& catalog_;
    const std::chrono::milliseconds interval_;

    boost::lockfree::spsc_queue<SyncPoint, boost::lockfree::capacity<kQueuedPointsMax>> points_;
    std::atomic<bool> overflowed_{false};  // points were left out: the catalog's ends count
    Doorbell work_;                        // there are points
    Doorbell urgent_;                      // somebody waits: do not pace. Appends never ring it
    std::atomic<bool> stopping_{false};

    mutable std::mutex mutex_;  // the next five
    std::condition_variable done_;
    std::uint64_t asked_ = 0;     // sync_now() calls so far
    std::uint64_t answered_ = 0;  // of them, how many are done
    Status failure_;
    bool ended_ = false;

    std::mutex listener_mutex_;
    Listener listener_;

    // Sync thread only.
    Doorbell::Clock::time_point last_sync_{};
    std::uint64_t marked_segment_ = 0;  // the last one whose predecessor is marked durable

    std::mutex join_mutex_;
    std::thread thread_;
};

}  // namespace fanout::journal
