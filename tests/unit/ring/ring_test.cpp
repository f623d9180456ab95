// Both ends of the ring in one process: room, visibility, wrap, wake-up, lies.
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "fanout/ring/ring_reader.hpp"
#include "fanout/ring/ring_writer.hpp"
#include "tests/unit/drain/fake_worker.hpp"

namespace fanout::testing {
namespace {

using Room = ring::RingWriter::Room;
constexpr std::uint64_t kCapacity = ring::kCapacityMin;

/// -1 if there is no such byte.
int byte_at(std::span<const std::uint8_t> bytes, std::size_t at) {
    return at < bytes.size() ? bytes[at] : -1;
}

struct Ring {
    explicit Ring(std::uint64_t start = 0)
        : segment(1, kCapacity, start),
          writer(segment.header, segment.ack, segment.data(), start),
          reader(segment.header, segment.ack, segment.data(), kCapacity, start) {}

    void put(std::size_t size, std::uint8_t fill) {
        ASSERT_EQ(writer.room(size), Room::yes);
        std::memset(writer.claim(), fill, size);
        writer.commit(size);
    }

    ProducerSegment segment;
    ring::RingWriter writer;
    ring::RingReader reader;
};

TEST(RingTest, NothingIsSeenBeforeItIsPublished) {
    Ring ring;
    ring.put(64, 1);
    EXPECT_TRUE(ring.reader.peek().empty());
    EXPECT_EQ(ring.writer.unpublished(), 64u);
    ring.put(32, 2);
    ring.writer.publish();
    EXPECT_EQ(ring.reader.peek().size(), 96u);
    EXPECT_EQ(byte_at(ring.reader.peek(), 64), 2);
}

TEST(RingTest, ARingIsFullOnlyWhenEveryByteIsTaken) {
    Ring ring;
    ring.put(kCapacity, 1);
    EXPECT_EQ(ring.writer.room(8), Room::full);
    ring.writer.publish();
    EXPECT_EQ(ring.reader.peek().size(), kCapacity);
    ring.reader.advance(8);
    EXPECT_EQ(ring.writer.room(8), Room::yes);
    EXPECT_EQ(ring.writer.room(16), Room::full);
}

TEST(RingTest, RecordsNeverWrapAndPositionsMayBeHuge) {
    for (const std::uint64_t start : {std::uint64_t{0}, (std::uint64_t{1} << 63) - kCapacity,
                                      (std::uint64_t{1} << 63) - 8 * kCapacity - 64}) {
        Ring ring(start);
        std::mt19937_64 random(start);
        for (int i = 0; i < 5000; ++i) {
            const std::size_t size = 8 + 8 * (random() % 4000);
            ring.put(size, static_cast<std::uint8_t>(i));
            ring.writer.publish();
            const auto seen = ring.reader.peek();
            ASSERT_EQ(seen.size(), size);
            ASSERT_EQ(byte_at(seen, 0), i & 0xFF);
            ASSERT_EQ(byte_at(seen, size - 1), i & 0xFF);
            ring.reader.advance(size);
        }
    }
}

TEST(RingTest, WhoSleepsIsWoken) {
    Ring ring;
    ring.put(8, 1);
    EXPECT_FALSE(ring.writer.publish()) << "nobody waits";
    EXPECT_FALSE(ring.writer.publish()) << "nothing is new";
    ring.reader.announce_wait();
    ring.put(8, 1);
    EXPECT_TRUE(ring.writer.publish());
    ring.reader.end_wait();
    ring.writer.announce_wait();
    EXPECT_TRUE(ring.reader.advance(8));
    ring.writer.end_wait();
    EXPECT_FALSE(ring.reader.advance(8));
}

TEST(RingTest, EveryImpossibleTailIsALie) {
    std::mt19937_64 random(42);
    constexpr std::uint64_t kStart = 1ULL << 40;
    Ring ring(kStart);
    ring.put(kCapacity / 2, 1);
    ring.writer.publish();
    ring.reader.advance(1024);
    ASSERT_TRUE(ring.writer.refresh_tail());
    const std::uint64_t low = kStart + 1024, high = kStart + kCapacity / 2;
    const auto judged_rightly = [&](std::uint64_t tail) {
        ring::RingWriter copy = ring.writer;
        ring.segment.ack->tail.store(tail);
        const bool possible = tail >= low && tail <= high && tail % 8 == 0;
        const bool lie = copy.room(kCapacity) == Room::lie;
        return copy.refresh_tail() == possible && lie != possible &&
               copy.head() - copy.tail() <= kCapacity;
    };
    for (const std::uint64_t tail : {std::uint64_t{0}, low - 8, low, low + 4, high, high + 8,
                                     std::numeric_limits<std::uint64_t>::max()}) {
        EXPECT_TRUE(judged_rightly(tail)) << tail;
    }
    int wrong = 0;
    for (int i = 0; i < 1'000'000; ++i) {
        const auto value = random();
        wrong += judged_rightly(i % 2 == 0 ? value : kStart + value % kCapacity) ? 0 : 1;
    }
    EXPECT_EQ(wrong, 0);
}

TEST(RingTest, EveryImpossibleHeadBreaksTheReader) {
    for (const std::uint64_t head :
         {std::uint64_t{0}, std::uint64_t{1000 - 8}, 1000 + kCapacity + 8, ~std::uint64_t{0}}) {
        Ring ring(1000);
        ring.segment.header->head.store(head);
        EXPECT_TRUE(ring.reader.peek().empty());
        EXPECT_TRUE(ring.reader.broken());
    }
}

}  // namespace
}  // namespace fanout::testing
