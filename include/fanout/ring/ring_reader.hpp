// peek · advance, for the single consumer.
//
// peek() gives every published byte not yet consumed; whole records, because head only moves at
// their ends. The bytes stay valid until advance() passes them. Contents are checked by the
// reader of the records, not here. No OS calls, no allocation, no exceptions.
#pragma once

#include <cstdint>
#include <span>

#include "fanout/ring/ring_layout.hpp"

namespace fanout::ring {

class RingReader {
  public:
    /// `data` is the start of the doubly mapped record area. `start` > 0 only in tests.
    RingReader(const DataHeader* header, AckHeader* ack, const std::uint8_t* data,
               std::uint64_t capacity, std::uint64_t start = 0)
        : header_(header), ack_(ack), data_(data), capacity_(capacity), tail_(start) {}

    /// Published and unread bytes (SYNC POINT: pairs with RingWriter::publish). Empty when there
    /// are none; nullopt-like `broken` is set when head is impossible.
    std::span<const std::uint8_t> peek() {
        const std::uint64_t head = header_->head.load(std::memory_order_acquire);
        if (head < tail_ || head - tail_ > capacity_) {
            broken_ = true;
            return {};
        }
        return {data_ + (tail_ & (capacity_ - 1)), static_cast<std::size_t>(head - tail_)};
    }

    bool broken() const { return broken_; }

    /// Gives `size` bytes back (SYNC POINT: pairs with RingWriter::refresh_tail). Returns true if
    /// the producer sleeps and has to be woken.
    bool advance(std::uint64_t size) {
        tail_ += size;
        ack_->tail.store(tail_, std::memory_order_release);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return header_->producer_waits.load(std::memory_order_relaxed) != 0;
    }

    /// Before sleeping for data: announce, then look again with peek().
    void announce_wait() {
        ack_->consumer_waits.store(1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    void end_wait() { ack_->consumer_waits.store(0, std::memory_order_relaxed); }

  private:
    const DataHeader* header_;
    AckHeader* ack_;
    const std::uint8_t* data_;
    std::uint64_t capacity_;
    std::uint64_t tail_;
    bool broken_ = false;
};

}  // namespace fanout::ring
