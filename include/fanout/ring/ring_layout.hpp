// The bytes of the two shared segments, and the protocol that moves them.
// Pairs with docs/ring-protocol.md.
//
// One producer (the decoding worker), one consumer (the drain thread of fanoutd).
//
//   data segment (memfd, sealed; the consumer can only map it read-only)
//     page 0            DataHeader, written by the producer
//     kHeaderBytes ..   `capacity` bytes of records; both sides map them twice in a row, so that
//                       no record ever wraps
//   ack segment (memfd, sealed against resizing; both write-map it)
//     AckHeader, written by the consumer
//
// Positions are byte counts since the start of the epoch; they never wrap in practice (2^64) and
// are masked with capacity - 1 to find the place.
//
//   field                    writer     ordering                       what breaks otherwise
//   DataHeader.head          producer   release, after the records     half a record is read
//   AckHeader.tail           consumer   release, after copying out     bytes overwritten unread
//   AckHeader.durable_lsn    consumer   release, after the fsync       WAL freed that was not kept
//   AckHeader.consumer_waits consumer   seq_cst, then re-check head    a lost wake-up
//   DataHeader.producer_waits producer  seq_cst, then re-check tail    a lost wake-up
//
// Wake-up: the side that publishes issues a seq_cst fence, then reads the other's waits flag and
// writes the eventfd only if it is set; the side that waits sets its flag, issues a seq_cst fence,
// looks again, and only then sleeps. It clears its own flag when it wakes.
//
// The producer is the privileged side. It loads each consumer-written word once into a local and
// accepts a tail only if last tail <= tail <= head and tail is a multiple of 8; anything else ends
// the connection. It never reads record bytes back.
//
// Raise kRingVersion when the place or meaning of any field changes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fanout::ring {

inline constexpr std::uint64_t kDataMagic = 0x31474E4952464750ULL;  // "PGFRING1"
inline constexpr std::uint64_t kAckMagic = 0x31314B4341464750ULL;   // "PGFACK11"
inline constexpr std::uint32_t kRingVersion = 1;
inline constexpr std::size_t kHeaderBytes = 4096;
inline constexpr std::size_t kAckBytes = 4096;
/// A constant of the format, not of the compiler: two cache lines, for the adjacent prefetcher.
inline constexpr std::size_t kSeparation = 128;
inline constexpr std::uint64_t kCapacityMin = 1ULL << 20;
inline constexpr std::uint64_t kCapacityMax = 1ULL << 32;
inline constexpr std::uint64_t kCapacityDefault = 16ULL << 20;

struct DataHeader {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t epoch;
    std::uint64_t capacity;  // power of two
    alignas(kSeparation) std::atomic<std::uint64_t> head;
    alignas(kSeparation) std::atomic<std::uint32_t> producer_waits;
};
static_assert(sizeof(DataHeader) <= kHeaderBytes);
static_assert(offsetof(DataHeader, head) == 128 && offsetof(DataHeader, producer_waits) == 256);

struct AckHeader {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t epoch;
    alignas(kSeparation) std::atomic<std::uint64_t> tail;
    alignas(kSeparation) std::atomic<std::uint64_t> durable_lsn;  // an end_lsn or keepalive LSN
    alignas(kSeparation) std::atomic<std::uint32_t> consumer_waits;
};
static_assert(sizeof(AckHeader) <= kAckBytes);
static_assert(offsetof(AckHeader, tail) == 128 && offsetof(AckHeader, durable_lsn) == 256 &&
              offsetof(AckHeader, consumer_waits) == 384);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace fanout::ring
