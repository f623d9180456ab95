// kill -9 at random instants: what is visible is whole, and a new consumer goes on where the last
// acknowledged byte was.
#include <gtest/gtest.h>

#include <random>

#include "tests/ring/process_pair.hpp"

namespace fanout::testing {
namespace {

constexpr std::uint64_t kEndless = ~0ULL;
constexpr int kRounds = 60;

TEST(KillTest, AKilledProducerLeavesOnlyWholeRecords) {
    std::mt19937 random(1);
    std::uint64_t total = 0;
    for (int round = 0; round < kRounds; ++round) {
        SharedRing shared;
        const pid_t producer = fork_child([&] { return produce(shared, kEndless); });
        const pid_t killer = fork_child([&] {
            ::usleep(random() % 20'000);
            return ::kill(producer, SIGKILL);
        });
        std::uint64_t number = 0;
        ASSERT_TRUE(consume(shared, number, kEndless, 100)) << "round " << round;
        EXPECT_EQ(wait_for(producer), -SIGKILL);
        EXPECT_EQ(wait_for(killer), 0);
        random();
        total += number;
    }
    EXPECT_GT(total, 0u);
}

TEST(KillTest, AKilledConsumerIsReplacedWithoutLoss) {
    std::mt19937 random(2);
    SharedRing shared;
    constexpr std::uint64_t kCount = 2'000'000;
    const pid_t producer = fork_child([&] { return produce(shared, kCount); });
    for (int round = 0; round < kRounds; ++round) {
        // The number of the first record at the tail, found by reading it.
        const pid_t consumer = fork_child([&] {
            ring::RingReader peek(shared.segment.header, shared.segment.ack, shared.segment.data(),
                                  ring::kCapacityMin, shared.segment.ack->tail.load());
            while (peek.peek().empty())
                ::usleep(100);
            wire::RecordView record;
            if (wire::read_record(peek.peek(), record) != wire::Refusal::none) return 1;
            std::uint64_t number = record.header.index;
            return consume(shared, number, kEndless) ? 0 : 1;
        });
        ::usleep(random() % 5'000);
        ::kill(consumer, SIGKILL);
        ASSERT_EQ(wait_for(consumer), -SIGKILL) << "it found something wrong";
    }
    // Every byte up to the tail was checked by one of them; the rest is checked here.
    std::uint64_t position = 0, number = 0;
    const std::uint64_t tail = shared.segment.ack->tail.load();
    while (position < tail)
        position += record_size(number++);
    ASSERT_EQ(position, tail) << "a tail inside a record";
    SharedRing::ring_bell(shared.space_ready);
    EXPECT_TRUE(consume(shared, number, kCount));
    EXPECT_EQ(number, kCount);
    EXPECT_EQ(wait_for(producer), 0);
}

}  // namespace
}  // namespace fanout::testing
