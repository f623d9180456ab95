// The bytes of one segment file. Pairs with docs/record-format.md, section "journal".
//
//   file      = header (kSegmentHeaderBytes) preamble records [zeros: reserved room]
//   preamble  = the relation records in force where the segment begins, as ring records
//   records   = the ring's own bytes, unchanged
//
// Files are named by their number, %016x.seg. A reader that begins at a segment takes the preamble
// as if it had seen those records go by; a reader that comes from the segment before skips it.
//
// Raise kSegmentVersion when a byte changes its place or meaning, StreamState included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>

#include "fanout/wire/checksum.hpp"
#include "fanout/wire/record_format.hpp"
#include "sidecar/journal/journal_options.hpp"
#include "sidecar/journal/stream_state.hpp"

namespace fanout::journal {

inline constexpr std::uint64_t kSegmentMagic = 0x314C4E524A464750ULL;  // "PGFJRNL1"
inline constexpr std::uint32_t kSegmentVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 4096;

/// Value of SegmentHeader::predecessor_durable once the segment before this one is on disk whole.
inline constexpr std::uint64_t kPredecessorDurable = 0x656C626172756450ULL;

struct SegmentHeader {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t wire_version;
    std::uint64_t checksum;  // XXH3-64 of this struct with checksum and predecessor_durable 0
    /// Written alone, later, by the sync thread. Without it a crash may have torn the segment
    /// before this one too; with it, damage there is corruption.
    std::uint64_t predecessor_durable;
    std::uint64_t number;
    std::uint64_t base;       // logical offset of the first record: bytes of records before it
    std::uint64_t first_lsn;  // every transaction that commits at or after it begins here or later
    std::int64_t created_at;  // microseconds since 1970-01-01 UTC
    std::uint64_t preamble_bytes;
    std::uint64_t preamble_checksum;
    StreamState state;  // where the stream stands at the first record
    std::uint32_t database_oid;
    std::uint32_t generation;
    char system_identifier[32];
    char stream_identity[48];
    char stream[64];
};
static_assert(std::is_trivially_copyable_v<SegmentHeader>);
static_assert(sizeof(SegmentHeader) == 304 && sizeof(SegmentHeader) <= kSegmentHeaderBytes);
static_assert(offsetof(SegmentHeader, predecessor_durable) == 24 &&
              offsetof(SegmentHeader, state) == 80);

inline std::uint64_t header_checksum(SegmentHeader header) {
    header.checksum = 0;
    header.predecessor_durable = 0;
    return XXH3_64bits(&header, sizeof header);
}

/// "%016x.seg"
std::string segment_file_name(std::uint64_t number);
/// Nothing if the name is not one of a segment.
std::optional<std::uint64_t> segment_number(const std::string& file_name);

/// Fills the identity's fields; false if a text does not fit.
bool put_identity(const SourceIdentity& identity, SegmentHeader& header);
SourceIdentity identity_of(const SegmentHeader& header);

}  // namespace fanout::journal
