// One stream in the daemon: its journal, and the thread that keeps it attached.
//
// The stream thread attaches, hands the worker's connection to a Drain, waits for its end and
// attaches again, with back-off. Where the source says that changes would be missing it stops and
// says so; lanes go on with what the journal has. Owns the journal, which outlives every
// attachment and every lane's use of it. Never makes a slot, never begins "from now".
#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "sidecar/drain/drain.hpp"
#include "sidecar/journal/journal.hpp"
#include "sidecar/pacing/backoff.hpp"
#include "sidecar/source/source_config.hpp"
#include "sidecar/source/wake_fd.hpp"

namespace fanout::stream {

struct StreamOptions {
    std::string conninfo;
    std::string system_identifier;
    Oid32 database_oid = 0;
    std::string daemon;     // host:pid
    std::string directory;  // of this stream
    journal::JournalOptions journal;
};

enum class StreamState : std::uint8_t { stopped, attaching, streaming, holding, retrying, failed };
const char* state_name(StreamState state);

struct StreamSnapshot {
    StreamState state = StreamState::stopped;
    std::string error;
    int worker_pid = 0;
    friend bool operator==(const StreamSnapshot&, const StreamSnapshot&) = default;
};

class StreamRuntime {
  public:
    /// Opens the journal; a journal of a slot that is no more is put aside under that slot's
    /// identity. `changed` is called on the stream's and the drain's thread.
    static Result<std::unique_ptr<StreamRuntime>> open(source::StreamDef def, StreamOptions options,
                                                       std::function<void()> changed);
    /// Detaches. Lanes must be gone.
    ~StreamRuntime();
    StreamRuntime(const StreamRuntime&) = delete;
    StreamRuntime& operator=(const StreamRuntime&) = delete;

    void start();
    /// Detaches and ends the thread; the journal stays open for lanes.
    void stop();
    bool running() const { return thread_.joinable(); }
    /// After a refusal or in a pause: try now.
    void attach_now();

    journal::Journal& journal() { return *journal_; }
    const std::atomic<std::uint64_t>& epoch() const { return epoch_; }
    /// Where the source's WAL ended at the last attachment of this process; 0: there was none.
    Lsn source_end() const { return source_end_; }
    bool was_attached() const { return epoch_ != 0; }
    const source::StreamDef& def() const { return def_; }
    StreamSnapshot snapshot() const;

    /// Control thread: a subscription change that came with the stream; false if there is none.
    bool take_news(drain::SubscriptionNews& news) { return news_.pop(news); }

    /// The worker said since the last call that its server begins to shut down.
    bool take_source_leaving() { return source_leaving_.exchange(false); }

    /// Control thread: removes journal segments nobody wants, if enough was written since the last
    /// time or `always`.
    void trim(bool always);

  private:
    StreamRuntime(source::StreamDef def, StreamOptions options, std::function<void()> changed);
    void run();
    bool stopping() const;
    Status attach_once();
    Status drain_until_end();
    void on_drain(const drain::DrainStatus& status);
    Status note_damage(const journal::RecoveryReport& found, const std::string& known);
    Status explain_refusal(const Status& refusal) const;
    void show(StreamState state, const std::string& error);
    void pause_after(const Status& status);

    static constexpr std::size_t kNewsMax = 256;

    const source::StreamDef def_;
    const StreamOptions options_;
    const std::function<void()> changed_;
    std::unique_ptr<journal::Journal> journal_;
    std::string damage_;  // what recovery cut and no attachment has made up for; stream thread
    std::unique_ptr<drain::Drain> drain_;
    std::atomic<bool> source_leaving_{false};
    std::atomic<std::uint64_t> epoch_{0};
    std::atomic<Lsn> source_end_{0};
    source::WakeFd stop_;
    pacing::Backoff backoff_{std::chrono::seconds(10)};
    boost::lockfree::spsc_queue<drain::SubscriptionNews, boost::lockfree::capacity<kNewsMax>> news_;
    std::uint64_t trimmed_at_bytes_ = 0;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    StreamSnapshot snapshot_;   // with mutex_
    Status drain_end_;          // with mutex_
    bool drain_ended_ = false;  // with mutex_
    bool stop_requested_ = false;
    bool attach_requested_ = false;
    std::thread thread_;
};

}  // namespace fanout::stream
