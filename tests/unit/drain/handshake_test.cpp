// Nothing that comes over the socket is believed.
#include <gtest/gtest.h>

#include "sidecar/drain/worker_connection.hpp"
#include "tests/unit/drain/fake_worker.hpp"

namespace fanout::testing {
namespace {

std::string refusal(FakeWorker& worker) {
    const auto connection = worker.greet();
    return connection.is_ok() ? "" : connection.status().text();
}

int open_descriptors() {
    int count = 0;
    for (int fd = 0; fd < 1024; ++fd)
        count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

TEST(HandshakeTest, ConnectsAndMaps) {
    FakeWorker worker(7, 0x500);
    auto connection = worker.connect();
    ASSERT_TRUE(connection.is_ok()) << connection.status().text();
    EXPECT_EQ(connection.value().epoch(), 7u);
    EXPECT_EQ(connection.value().start_lsn(), 0x500u);
    auto mapping = drain::RingMapping::map(connection.value());
    ASSERT_TRUE(mapping.is_ok()) << mapping.status().text();
    ring::Hello hello{};
    ASSERT_EQ(::recv(worker.socket, &hello, sizeof hello, 0), static_cast<long>(sizeof hello));
    EXPECT_EQ(std::string(hello.token, sizeof hello.token), kSampleToken);
    EXPECT_EQ(hello.magic, ring::kHelloMagic);
}

TEST(HandshakeTest, RefusesEveryOtherPacketByName) {
    const auto refuse = [](const char* part, std::size_t size, int descriptors, auto&& change) {
        const int before = open_descriptors();
        {
            FakeWorker worker(1, 0x100);
            std::array<char, 2048> bytes{};
            auto packet = worker.welcome();
            change(packet);
            std::memcpy(bytes.data(), &packet, sizeof packet);
            worker.send(bytes.data(), size, descriptors);
            const auto text = refusal(worker);
            EXPECT_NE(text.find(part), std::string::npos) << text;
        }
        EXPECT_EQ(open_descriptors(), before) << "descriptors that came are closed: " << part;
    };
    const std::size_t size = sizeof(ring::Welcome);
    const auto same = [](ring::Welcome&) {};
    refuse("another size", size - 1, 4, same);
    refuse("more than a handshake", size + 9, 4, same);
    refuse("0 descriptors", size, 0, same);
    refuse("3 descriptors", size, 3, same);
    refuse("5 descriptors", size, 5, same);
    refuse("something else", size, 4, [](auto& packet) { packet.magic ^= 1; });
    refuse("another version", size, 4, [](auto& packet) { packet.version = 99; });
    refuse("capacity", size, 4, [](auto& packet) { packet.capacity = 3 << 20; });
    refuse("capacity", size, 4, [](auto& packet) { packet.capacity = 1ULL << 40; });
    refuse("the token is wrong", size, 0, [](auto& packet) {
        packet.status = static_cast<std::uint32_t>(ring::HandshakeStatus::bad_token);
        std::strcpy(packet.text, "the token is wrong");
    });
}

TEST(HandshakeTest, ASilentOrDeadWorkerIsTriedAgain) {
    FakeWorker silent(1, 0x100);
    auto connection = silent.greet();
    EXPECT_EQ(connection.status().kind(), StatusKind::retry);
    FakeWorker dead(1, 0x100);
    dead.leave();
    connection = dead.greet();
    EXPECT_EQ(connection.status().kind(), StatusKind::retry);
    FakeWorker sorry(1, 0x100);
    sorry.say_farewell("55006", "the slot is in use");
    connection = sorry.greet();
    EXPECT_EQ(connection.status().text(), "the slot is in use");
    connection = drain::WorkerConnection::connect("/nonexistent/socket", kSampleToken,
                                                  std::chrono::milliseconds(10));
    EXPECT_EQ(connection.status().kind(), StatusKind::retry);
    EXPECT_NE(connection.status().text().find("/nonexistent/socket"), std::string::npos);
}

TEST(RingMappingTest, RefusesWhatIsNotTheWorkersRing) {
    constexpr auto kCapacity = ring::kCapacityMin;
    const auto refuse = [](const char* part, bool seal, auto&& change, std::uint64_t capacity) {
        ProducerSegment segment(3);
        change(segment);
        if (seal) segment.seal();
        const auto mapping = drain::RingMapping::map(segment.data_fd, segment.ack_fd, capacity, 3);
        ASSERT_FALSE(mapping.is_ok()) << part;
        const auto text = mapping.status().text();
        EXPECT_NE(text.find(part), std::string::npos) << text;
    };
    const auto same = [](ProducerSegment&) {};
    refuse("not sealed", false, same, kCapacity);
    refuse("bytes instead of", true, same, 2 * kCapacity);
    refuse(
        "begin as it should", true, [](auto& s) { s.header->magic ^= 1; }, kCapacity);
    refuse(
        "begin as it should", true, [](auto& s) { s.ack->magic ^= 1; }, kCapacity);
    refuse(
        "version", true, [](auto& s) { s.header->version = 9; }, kCapacity);
    refuse(
        "another attachment", true, [](auto& s) { s.header->epoch = 2; }, kCapacity);
    refuse(
        "another attachment", true, [](auto& s) { s.ack->epoch = 2; }, kCapacity);
    refuse(
        "announced", true, [](auto& s) { s.header->capacity = 2 << 20; }, kCapacity);
    ProducerSegment good(3);
    good.seal();
    EXPECT_TRUE(drain::RingMapping::map(good.data_fd, good.ack_fd, kCapacity, 3).is_ok());
    int pipes[2];
    ASSERT_EQ(::pipe(pipes), 0);
    EXPECT_FALSE(drain::RingMapping::map(pipes[0], good.ack_fd, kCapacity, 3).is_ok());
    ::close(pipes[0]);
    ::close(pipes[1]);
}

}  // namespace
}  // namespace fanout::testing
