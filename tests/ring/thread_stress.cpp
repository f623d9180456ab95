// Both ends of a ring in two threads of one process, for ThreadSanitizer: the memory ordering that
// ring_layout.hpp promises, without a kernel in between that would hide a mistake.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "tests/ring/ring_traffic.hpp"

using namespace fanout;

namespace {

constexpr std::uint64_t kCapacity = 1ULL << 16;
constexpr std::uint64_t kRecords = 300'000;

/// A record small enough for the small ring, and never across its end: no double mapping here, so
/// that the sanitizer knows every address once.
std::uint64_t size_at(std::uint64_t position, std::uint64_t number) {
    const std::uint64_t wanted = 40 + 8 * (fanout::testing::scrambled(number) % 100);
    const std::uint64_t to_end = kCapacity - position % kCapacity;
    return wanted + 40 > to_end ? to_end : wanted;
}

void produce(ring::DataHeader& header, ring::AckHeader& ack, std::uint8_t* data) {
    ring::RingWriter writer(&header, &ack, data);
    for (std::uint64_t number = 0; number < kRecords; ++number) {
        const std::uint64_t size = size_at(writer.head(), number);
        while (writer.room(size) == ring::RingWriter::Room::full) {
            writer.publish();
            std::this_thread::yield();
        }
        std::uint8_t* place = writer.claim();
        for (std::uint64_t at = 0; at < size; at += 8) {
            const std::uint64_t word = number ^ at;
            std::memcpy(place + at, &word, sizeof word);
        }
        writer.commit(size);
        if (number % 3 == 0) writer.publish();
    }
    writer.publish();
}

bool consume(ring::DataHeader& header, ring::AckHeader& ack, const std::uint8_t* data) {
    ring::RingReader reader(&header, &ack, data, kCapacity);
    std::uint64_t position = 0, number = 0;
    while (number < kRecords) {
        auto bytes = reader.peek();
        if (reader.broken()) return false;
        if (bytes.empty()) {
            reader.announce_wait();
            std::this_thread::yield();
            reader.end_wait();
            continue;
        }
        // Behind the end of the plain array there is nothing: take what lies before it.
        const std::uint64_t to_end = kCapacity - position % kCapacity;
        if (bytes.size() > to_end) bytes = bytes.first(to_end);
        std::uint64_t taken = 0;
        while (taken < bytes.size()) {
            const std::uint64_t size = size_at(position, number);
            for (std::uint64_t at = 0; at < size; at += 8) {
                std::uint64_t word = 0;
                std::memcpy(&word, bytes.data() + taken + at, sizeof word);
                if (word != (number ^ at)) return false;
            }
            taken += size;
            position += size;
            ++number;
        }
        reader.advance(taken);
    }
    return true;
}

}  // namespace

int main() {
    auto header = std::make_unique<ring::DataHeader>();
    auto ack = std::make_unique<ring::AckHeader>();
    header->capacity = kCapacity;
    std::vector<std::uint8_t> data(kCapacity);
    bool right = false;
    std::thread consumer([&] { right = consume(*header, *ack, data.data()); });
    produce(*header, *ack, data.data());
    consumer.join();
    std::printf("%s\n", right ? "ok" : "a record was not what was written");
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
