// Wakes whoever waits for the journal to grow. Costs the ringer one atomic increment and one load
// while nobody sleeps.
//
// Use: take ticket(), look whether there is work, and only then wait(ticket): a ring in between is
// never lost, because it changes the ticket.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace fanout::journal {

class Doorbell {
  public:
    using Clock = std::chrono::steady_clock;

    std::uint64_t ticket() const { return rings_.load(std::memory_order_seq_cst); }

    /// SYNC POINT: pairs with wait(). Either the ringer sees the sleeper's announcement, or the
    /// sleeper sees the new number.
    void ring() {
        rings_.fetch_add(1, std::memory_order_seq_cst);
        if (sleepers_.load(std::memory_order_seq_cst) == 0) return;
        { const std::lock_guard lock(mutex_); }
        bell_.notify_all();
    }

    /// Sleeps until somebody rings after `ticket` was taken; false when `deadline` came first.
    bool wait_until(std::uint64_t ticket, Clock::time_point deadline) {
        std::unique_lock lock(mutex_);
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        const auto rung = [&] { return rings_.load(std::memory_order_seq_cst) != ticket; };
        bool woken = true;
        if (deadline == Clock::time_point::max()) {
            bell_.wait(lock, rung);
        } else {
            woken = bell_.wait_until(lock, deadline, rung);
        }
        sleepers_.fetch_sub(1, std::memory_order_seq_cst);
        return woken;
    }

  private:
    std::atomic<std::uint64_t> rings_{0};
    std::atomic<int> sleepers_{0};
    std::mutex mutex_;
    std::condition_variable bell_;
};

}  // namespace fanout::journal
