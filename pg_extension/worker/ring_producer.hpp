// The ring's writer plus PostgreSQL's way of waiting.
//
// claim() sleeps on the link while the ring is full: back-pressure ends in WAL that the slot holds,
// never in a user's transaction. Records become visible with each commit and every 32 KiB between.
// The consumer's bell rings only if the consumer sleeps, and not for each of many small
// transactions, which was a fifth of what they cost: it is owed, for 256 KiB or 4096 changes at the
// most, two milliseconds of work, and paid before the worker sleeps.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/worker/consumer_link.hpp"
#include "pg_extension/worker/fault_point.hpp"
#include "pg_extension/worker/ring_segment.hpp"
//
#include "fanout/ring/ring_writer.hpp"
#include "fanout/wire/record_format.hpp"

namespace fanout::worker {

inline constexpr uint64 kPublishBytes = 32 * 1024;
inline constexpr uint64 kRingBytes = 256 * 1024;

class RingProducer {
  public:
    RingProducer(const RingSegment& segment, ConsumerLink* link)
        : writer_(segment.header, segment.ack, segment.data),
          link_(link),
          epoch_(segment.header->epoch) {}

    /// Room for one record of `size` bytes, at most kRecordBytesMax. May sleep, may raise.
    uint8* claim(uint64 size) {
        if (unlikely(writer_.room(size) != ring::RingWriter::Room::yes)) wait_for_room(size);
        FANOUT_FAULT_HERE("worker.space_claimed");
        return writer_.claim();
    }

    void commit(uint64 size) {
        writer_.commit(size);
        FANOUT_FAULT_HERE("worker.record_unpublished");
        if (writer_.unpublished() >= kPublishBytes) publish();
    }

    void publish() {
        link_->bell_owed |= writer_.publish();
        FANOUT_FAULT_HERE("worker.published_silently");
        if (writer_.head() - rung_at_ >= kRingBytes) ring();
    }

    /// Called once per change and per WAL record, wanted or not: a bell that is owed, and now and
    /// then interrupts and the connection.
    void tick() {
        if (likely(++ticks_ % kTicksPerRing != 0)) return;
        ring();
        if (unlikely(ticks_ % kTicksPerCheck == 0)) check_link(link_);
    }

    uint32 epoch() const { return epoch_; }

  private:
    static constexpr uint32 kTicksPerRing = 4096;
    static constexpr uint32 kTicksPerCheck = 8192;

    void ring() {
        rung_at_ = writer_.head();
        ring_if_owed(link_);
    }
    void wait_for_room(uint64 size);

    ring::RingWriter writer_;
    ConsumerLink* link_;
    uint32 epoch_;
    uint32 ticks_ = 0;
    uint64 rung_at_ = 0;  // the head when a bell was last paid, or none was owed
};

}  // namespace fanout::worker
