// Positions in the source's write-ahead log, and the few other numbers every part shares.
//
// No allocation, no exceptions: this header is also compiled into the server.
#pragma once

#include <compare>
#include <cstdint>

namespace fanout {

/// Byte address in the source's write-ahead log. 0 is PostgreSQL's "invalid".
using Lsn = std::uint64_t;

/// PostgreSQL object identifier. Tables are identified by it, never by name.
using Oid32 = std::uint32_t;

/// Microseconds since 2000-01-01 00:00:00 UTC (PostgreSQL's TimestampTz).
using PgTime = std::int64_t;

/// Seconds from 1970-01-01 to 2000-01-01.
inline constexpr std::int64_t kPgEpochOffsetSeconds = 946'684'800;

/// The place of one change: the LSN of its transaction's commit record, and its ordinal inside
/// that transaction. An LSN alone is not unique: the rows of one COPY share it. Positions of one
/// stream grow strictly in the order in which the stream delivers changes.
struct Position {
    Lsn commit_lsn = 0;
    std::uint64_t index = 0;
    friend constexpr auto operator<=>(const Position&, const Position&) = default;
};

}  // namespace fanout
