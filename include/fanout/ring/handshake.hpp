// What travels over the Unix socket (SOCK_SEQPACKET) between fanoutd and the decoding worker.
//
//   fanoutd → worker   Hello
//   worker  → fanoutd  Welcome, with four descriptors (SCM_RIGHTS) in the order of Descriptor
//                      if status is ok; none otherwise
//   worker  → fanoutd  Farewell, at most once, before the worker leaves for an error
//
// After the welcome nothing else is sent; the connection's end is the attachment's end. One packet
// each, fixed size; a packet of another size, magic or version range is refused by name.
#pragma once

#include <cstdint>
#include <type_traits>

namespace fanout::ring {

inline constexpr std::uint32_t kHelloMagic = 0x4C484750;     // "PGHL"
inline constexpr std::uint32_t kWelcomeMagic = 0x4C574750;   // "PGWL"
inline constexpr std::uint32_t kFarewellMagic = 0x45424750;  // "PGBE"
inline constexpr std::size_t kTokenBytes = 32;
inline constexpr std::size_t kHandshakeTextBytes = 512;

/// Protocol version of the handshake, ring and wire format together.
inline constexpr std::uint16_t kProtocolVersion = 2;

struct Hello {
    std::uint32_t magic;
    std::uint16_t version_min;
    std::uint16_t version_max;
    char token[kTokenBytes];  // as fanout.attach() returned it; not terminated
};
static_assert(sizeof(Hello) == 40 && std::is_trivially_copyable_v<Hello>);

enum class HandshakeStatus : std::uint32_t {
    ok = 0,
    bad_packet = 1,
    bad_version = 2,
    bad_token = 3,
    peer_not_allowed = 4,
};

enum Descriptor : int { kDataSegment = 0, kAckSegment = 1, kDataReady = 2, kSpaceReady = 3 };
inline constexpr int kDescriptorCount = 4;

struct Welcome {
    std::uint32_t magic;
    std::uint32_t status;  // HandshakeStatus
    std::uint16_t version;
    std::uint16_t reserved;
    std::uint32_t epoch;
    std::uint64_t capacity;
    std::uint64_t start_lsn;         // transactions that commit at or after it will come
    char text[kHandshakeTextBytes];  // why not, terminated; empty if ok
};
static_assert(sizeof(Welcome) == 32 + kHandshakeTextBytes && std::is_trivially_copyable_v<Welcome>);

struct Farewell {
    std::uint32_t magic;
    char sqlstate[8];  // five characters, terminated
    char text[kHandshakeTextBytes];
};
static_assert(std::is_trivially_copyable_v<Farewell>);

}  // namespace fanout::ring
