// A consumer that writes anything into its words: the producer takes a possible one or says it
// lies.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "fanout/ring/ring_writer.hpp"

namespace fanout::testing {
namespace {

constexpr std::uint64_t kCapacity = 1ULL << 16;

class HostileRing : public ::testing::Test {
  protected:
    HostileRing() { header_->capacity = kCapacity; }

    std::unique_ptr<ring::DataHeader> header_ = std::make_unique<ring::DataHeader>();
    std::unique_ptr<ring::AckHeader> ack_ = std::make_unique<ring::AckHeader>();
    std::vector<std::uint8_t> data_ = std::vector<std::uint8_t>(kCapacity);
    ring::RingWriter writer_{header_.get(), ack_.get(), data_.data()};
};

TEST_F(HostileRing, AMillionRandomTailsNeverGiveRoomThatIsNotThere) {
    std::mt19937_64 random(1);
    int lies = 0, taken = 0;
    for (int i = 0; i < 1'000'000; ++i) {
        if (writer_.room(512) == ring::RingWriter::Room::yes) {
            writer_.commit(512);
            writer_.publish();
        }
        const std::uint64_t before = writer_.tail();
        const std::uint64_t word = random();
        const std::uint64_t tail = before + (word >> (word % 64)) - (word % 3);
        ack_->tail.store(tail);
        const bool possible = tail >= before && tail <= writer_.head() && tail % 8 == 0;
        ASSERT_EQ(writer_.refresh_tail(), possible) << tail;
        ASSERT_EQ(writer_.tail(), possible ? tail : before);
        ++(possible ? taken : lies);
    }
    EXPECT_GT(lies, 1000);
    EXPECT_GT(taken, 1000);
}

/// Loaded twice, the word could be right when it is checked and wrong when it is used.
TEST_F(HostileRing, AWordThatFlipsIsLoadedOnce) {
    constexpr std::uint64_t kWrong = 1ULL << 40;
    std::atomic<bool> over{false};
    std::thread consumer([&] {
        while (!over.load(std::memory_order_relaxed)) {
            ack_->tail.store(0, std::memory_order_relaxed);
            ack_->tail.store(kWrong, std::memory_order_relaxed);
        }
    });
    writer_.commit(kCapacity);
    writer_.publish();
    int lies = 0, taken = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (writer_.tail() == 0 && std::chrono::steady_clock::now() < end)
        for (int i = 0; i < 1000 && writer_.tail() == 0; ++i)
            ++(writer_.refresh_tail() ? taken : lies);
    over = true;
    consumer.join();
    EXPECT_EQ(writer_.tail(), 0u);
    EXPECT_GT(lies, 0);
    EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace fanout::testing
