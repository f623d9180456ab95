// Millions of records of random sizes from one process to another, every one checked.
#include <gtest/gtest.h>

#include "tests/ring/process_pair.hpp"

namespace fanout::testing {
namespace {

void transfer(std::uint64_t start, std::uint64_t count) {
    SharedRing shared(start);
    const pid_t producer = fork_child([&] { return produce(shared, count); });
    ASSERT_GT(producer, 0);
    std::uint64_t number = 0;
    EXPECT_TRUE(consume(shared, number, count));
    EXPECT_EQ(number, count);
    EXPECT_EQ(wait_for(producer), 0);
}

TEST(TwoProcessTest, MillionsOfRecordsArriveInOrderAndWhole) {
    transfer(0, 3'000'000);
}

TEST(TwoProcessTest, PositionsBeyondTheSignBit) {
    transfer((1ULL << 63) - ring::kCapacityMin, 300'000);
}

TEST(TwoProcessTest, ASlowConsumerHoldsTheProducerBack) {
    SharedRing shared;
    constexpr std::uint64_t kCount = 40'000;
    const pid_t producer = fork_child([&] { return produce(shared, kCount); });
    std::uint64_t number = 0;
    while (number < kCount) {
        ::usleep(2000);
        ASSERT_TRUE(consume(shared, number, std::min(kCount, number + 1), 100));
    }
    EXPECT_EQ(wait_for(producer), 0);
}

}  // namespace
}  // namespace fanout::testing
