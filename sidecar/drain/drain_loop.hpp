// The drain thread's loop, and what it shares with the threads around it.
//
// Everything here is the drain thread's own but stop(), status() and on_durable() (sync thread).
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>

#include "fanout/ring/ring_reader.hpp"
#include "sidecar/drain/drain.hpp"
#include "sidecar/drain/span_walk.hpp"

namespace fanout::drain {

class DrainLoop {
  public:
    DrainLoop(journal::Journal& journal, const DrainCallbacks& callbacks, RingMapping mapping,
              WorkerConnection connection);
    ~DrainLoop();
    DrainLoop(const DrainLoop&) = delete;
    DrainLoop& operator=(const DrainLoop&) = delete;

    Status prepare();
    void run();
    void stop();
    DrainStatus status() const;

  private:
    enum class Turn : std::uint8_t { worked, idle, ended };

    Turn turn();
    Turn append_plan();
    bool held_by_limit();
    void hold(const std::string& reason);
    void go_on();
    void sleep_until_data();
    void sleep(int timeout_ms);
    void look_at_socket();
    void on_durable(Lsn durable_end_lsn);
    void acknowledge(Lsn lsn);
    Turn end(Status status);
    void announce(DrainPhase phase, const std::string& reason);

    journal::Journal& journal_;
    const DrainCallbacks& callbacks_;
    RingMapping mapping_;
    WorkerConnection connection_;
    ring::RingReader reader_;
    SpanWalk walk_;
    journal::FileDescriptor wake_;  // eventfd: stop, or a failed sync
    std::atomic<bool> stopping_{false};
    bool plan_waits_ = false;   // planned, not appended yet
    bool worker_left_ = false;  // nothing will follow what is in the ring
    Status refused_;            // not ok: a record after the present plan was refused
    Lsn durable_before_ = 0;    // the journal's durable end when the worker came
    bool gave_up_ = false;      // it left and what is in the ring cannot be kept
    Status worker_words_ = Status::retry("the decoding worker left without a word");
    std::chrono::steady_clock::time_point limit_checked_{};

    mutable std::mutex mutex_;  // status_
    DrainStatus status_;
};

}  // namespace fanout::drain
