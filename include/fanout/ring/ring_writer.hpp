// claim · commit · publish, for the single producer.
//
// The caller fills claimed bytes with whole records and commits their length; publish() makes all
// committed bytes visible. Records may be committed many times before one publish: head moves only
// there, so a reader never sees an unfinished record. Waiting for room is the caller's business
// (the worker waits on its latch). No OS calls, no allocation, no exceptions.
#pragma once

#include <cstdint>

#include "fanout/ring/ring_layout.hpp"

namespace fanout::ring {

class RingWriter {
  public:
    /// `data` is the start of the doubly mapped record area. `start` > 0 only in tests.
    RingWriter(DataHeader* header, AckHeader* ack, std::uint8_t* data, std::uint64_t start = 0)
        : header_(header),
          ack_(ack),
          data_(data),
          capacity_(header->capacity),
          head_(start),
          published_(start),
          tail_(start) {}

    enum class Room { yes, full, lie };

    /// Is there room for `size` bytes? Reads the consumer's tail only when the last known one
    /// does not suffice. `lie` means the tail is impossible: end the connection.
    Room room(std::uint64_t size) {
        if (capacity_ - (head_ - tail_) >= size) return Room::yes;
        if (!refresh_tail()) return Room::lie;
        return capacity_ - (head_ - tail_) >= size ? Room::yes : Room::full;
    }

    /// Valid after room(size) said yes, until commit().
    std::uint8_t* claim() { return data_ + (head_ & (capacity_ - 1)); }

    void commit(std::uint64_t size) { head_ += size; }

    /// Makes committed records visible (SYNC POINT: pairs with RingReader::peek). Returns true if
    /// the consumer sleeps and has to be woken.
    bool publish() {
        if (published_ == head_) return false;
        header_->head.store(head_, std::memory_order_release);
        published_ = head_;
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return ack_->consumer_waits.load(std::memory_order_relaxed) != 0;
    }

    std::uint64_t unpublished() const { return head_ - published_; }
    std::uint64_t head() const { return head_; }
    std::uint64_t tail() const { return tail_; }
    std::uint64_t capacity() const { return capacity_; }

    /// Loads the consumer's tail once and checks it; false is a lie.
    bool refresh_tail() {
        const std::uint64_t tail = ack_->tail.load(std::memory_order_acquire);
        if (tail < tail_ || tail > published_ || tail % 8 != 0) return false;
        tail_ = tail;
        return true;
    }

    /// Before sleeping for room: announce, then look again with room().
    void announce_wait() {
        header_->producer_waits.store(1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    void end_wait() { header_->producer_waits.store(0, std::memory_order_relaxed); }

  private:
    DataHeader* header_;
    AckHeader* ack_;
    std::uint8_t* data_;
    std::uint64_t capacity_;
    std::uint64_t head_;
    std::uint64_t published_;
    std::uint64_t tail_;
};

}  // namespace fanout::ring
