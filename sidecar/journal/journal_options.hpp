// What a journal is opened with: whose changes it holds, and its limits. Plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "fanout/base/ids.hpp"

namespace fanout::journal {

/// Whose changes a journal holds. Every segment carries it; another source is refused.
struct SourceIdentity {
    std::string system_identifier;  // pg_control_system().system_identifier, at most 31 bytes
    Oid32 database_oid = 0;
    std::string stream;           // name, for messages only, at most 63 bytes
    std::string stream_identity;  // uuid, new at each creation of the slot, at most 47 bytes
    std::uint32_t generation = 0;
};

/// What happens when the journal is over its limit and a subscription still wants old segments.
enum class LimitAction : std::uint8_t {
    hold,          // stop draining: the ring fills, the slot holds the WAL
    needs_resync,  // let the laggard go: its segments are removed, it is named in TrimReport
};

struct JournalOptions {
    std::uint64_t segment_bytes = 64ULL << 20;
    std::uint64_t bytes_max = 0;     // 0: no limit
    std::chrono::seconds age_max{};  // 0: no limit
    LimitAction limit_action = LimitAction::hold;
    /// Shortest time between two group syncs; an idle journal syncs at once. Nothing but the slot
    /// waits for a sync, and each is a flush of the disk that commits at the source may wait
    /// behind.
    std::chrono::milliseconds sync_interval{100};
};

}  // namespace fanout::journal
