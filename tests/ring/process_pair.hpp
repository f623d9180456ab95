// The two sides as they run in separate processes: sleep on eventfds, wake each other.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "tests/ring/ring_traffic.hpp"
#include "tests/unit/drain/fake_worker.hpp"

namespace fanout::testing {

/// A ring and its doorbells; made before the fork, used by both sides.
struct SharedRing {
    explicit SharedRing(std::uint64_t first = 0)
        : segment(1, ring::kCapacityMin, first),
          start(first),
          data_ready(::eventfd(0, EFD_NONBLOCK)),
          space_ready(::eventfd(0, EFD_NONBLOCK)) {}
    ~SharedRing() {
        ::close(data_ready);
        ::close(space_ready);
    }

    static void ring_bell(int fd) {
        const std::uint64_t one = 1;
        (void)!::write(fd, &one, sizeof one);
    }
    /// False after `timeout_ms` without a ring.
    static bool sleep(int fd, int timeout_ms) {
        pollfd entry{fd, POLLIN, 0};
        if (::poll(&entry, 1, timeout_ms) <= 0) return false;
        std::uint64_t rings = 0;
        (void)!::read(fd, &rings, sizeof rings);
        return true;
    }

    ProducerSegment segment;
    std::uint64_t start;
    int data_ready, space_ready;
};

constexpr int kPatienceMs = 20'000;

/// Writes records 0 .. count-1; 0 if all went well. Publishes every few records.
inline int produce(SharedRing& shared, std::uint64_t count) {
    using Room = ring::RingWriter::Room;
    ring::RingWriter writer(shared.segment.header, shared.segment.ack, shared.segment.data(),
                            shared.start);
    const auto publish = [&] {
        if (writer.publish()) SharedRing::ring_bell(shared.data_ready);
    };
    for (std::uint64_t number = 0; number < count; ++number) {
        const std::size_t size = record_size(number);
        Room room = writer.room(size);
        if (room == Room::full) publish();
        while (room == Room::full) {
            writer.announce_wait();
            room = writer.room(size);
            if (room == Room::full && !SharedRing::sleep(shared.space_ready, kPatienceMs)) return 2;
            if (room == Room::full) room = writer.room(size);
        }
        writer.end_wait();
        if (room == Room::lie) return 3;
        write_record(writer.claim(), number);
        writer.commit(size);
        if (scrambled(number) % 7 == 0) publish();
    }
    publish();
    return 0;
}

/// Checks records from `number` up to `count`; gives up when nothing comes for `patience_ms`.
/// Returns false at the first wrong byte.
inline bool consume(SharedRing& shared, std::uint64_t& number, std::uint64_t count,
                    int patience_ms = kPatienceMs) {
    ring::RingReader reader(shared.segment.header, shared.segment.ack, shared.segment.data(),
                            ring::kCapacityMin, shared.segment.ack->tail.load());
    while (number < count) {
        const auto bytes = reader.peek();
        if (reader.broken()) return false;
        if (!bytes.empty()) {
            if (!check_records(bytes, number)) return false;
            if (reader.advance(bytes.size())) SharedRing::ring_bell(shared.space_ready);
            continue;
        }
        reader.announce_wait();
        const bool rung =
            !reader.peek().empty() || SharedRing::sleep(shared.data_ready, patience_ms);
        reader.end_wait();
        if (!rung && reader.peek().empty()) return true;
    }
    return true;
}

template <typename Body>
pid_t fork_child(const Body& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    return child;
}

inline int wait_for(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace fanout::testing
