// What ring_dump does when it is told to attack: the nine ways of getting at the worker's memory,
// and acknowledgement words written as fast as this machine can.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>

#include "fanout/ring/ring_layout.hpp"

namespace fanout::testing {

inline void say(const char* attack, bool refused) {
    std::printf("%s %s\n", attack, refused ? "refused" : "ALLOWED");
}

/// `mapped`: this process's own read-only mapping of the data segment.
inline void attack_segments(int data, int ack, void* mapped) {
    constexpr std::size_t kPage = 4096;
    const auto map_writable = [](int fd) {
        return mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    };
    say("shrink", ftruncate(data, 0) != 0);
    say("grow", ftruncate(data, 1L << 33) != 0);
    say("map writable", map_writable(data) == MAP_FAILED);
    say("mprotect", mprotect(mapped, kPage, PROT_READ | PROT_WRITE) != 0);
    say("pwrite", pwrite(data, "x", 1, 100) != 1);
    say("punch hole", fallocate(data, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage) != 0);
    const std::string path = "/proc/self/fd/" + std::to_string(data);
    const int again = open(path.c_str(), O_RDWR | O_CLOEXEC);
    say("open again",
        again < 0 || (map_writable(again) == MAP_FAILED && pwrite(again, "x", 1, 100) != 1));
    say("madvise remove", madvise(mapped, kPage, MADV_REMOVE) != 0);
    say("more seals",
        fcntl(data, F_ADD_SEALS, F_SEAL_WRITE) != 0 && fcntl(ack, F_ADD_SEALS, F_SEAL_WRITE) != 0);
    say("shrink ack", ftruncate(ack, 0) != 0);
    say("grow ack", ftruncate(ack, 1L << 20) != 0);
}

/// Writes both words until `over()` says so, looked at now and then; the number of writes.
/// random: anything. flip: the true tail and an impossible one by turns, so that a worker that
/// loads the word twice sees both.
template <typename Over>
std::uint64_t storm(ring::AckHeader& ack, bool flip, const Over& over) {
    std::mt19937_64 random(1);
    const std::uint64_t tail = ack.tail.load();
    std::uint64_t writes = 0;
    do {
        for (int i = 0; i < 50'000; ++i, writes += 2) {
            if (flip) {
                ack.tail.store(tail, std::memory_order_relaxed);
                ack.tail.store(tail + (1ULL << 40), std::memory_order_relaxed);
                continue;
            }
            // Everything from near misses to nonsense.
            const std::uint64_t word = random();
            ack.tail.store(tail + (word >> (word % 64)), std::memory_order_relaxed);
            ack.durable_lsn.store(random() >> (word % 64), std::memory_order_relaxed);
        }
    } while (!over());
    return writes;
}

}  // namespace fanout::testing
