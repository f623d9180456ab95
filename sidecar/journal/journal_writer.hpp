// Appends to the journal's last segment and begins new ones.
//
// Drain thread only (and the opening thread before that), but for set_segment_bytes(). Owns the
// relation records in force and the stream's state; a failed append or roll changes neither and may
// be tried again.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "fanout/base/status.hpp"
#include "sidecar/journal/segment_catalog.hpp"
#include "sidecar/journal/stream_state.hpp"

namespace fanout::journal {

struct AppendPlan;

class JournalWriter {
  public:
    JournalWriter(std::string directory, SourceIdentity identity, std::uint64_t segment_bytes,
                  std::shared_ptr<Files> files, SegmentCatalog& catalog);

    /// Where recovery found the end.
    void resume(const StreamState& state, RelationTable relations);

    /// The first segment of an empty journal.
    Status begin(Lsn first_lsn);

    bool wants_boundary() const { return used() >= segment_bytes_; }
    Status roll_if_due();
    Status append(const AppendPlan& plan);
    /// Voids what is open.
    Status append_abort(std::uint32_t epoch);

    const StreamState& state() const { return state_; }

    /// Any thread. A smaller size ends the open segment early, a larger one begins with the next.
    void set_segment_bytes(std::uint64_t bytes) { next_segment_bytes_.store(bytes); }

    /// How much of an open segment a reader may have to map.
    static std::uint64_t map_bytes(std::uint64_t data_start, std::uint64_t segment_bytes);

  private:
    std::uint64_t used() const;  // bytes of records in the open segment
    bool roll_is_due() const;
    Status create_segment(std::uint64_t number, Lsn first_lsn);
    Status write_head(int fd, const std::string& path, SegmentHeader& header,
                      std::span<const std::uint8_t> preamble, std::uint64_t segment_bytes);
    Status clean_tail();

    std::string directory_;
    SourceIdentity identity_;
    std::uint64_t segment_bytes_;  // of the open segment: readers have mapped it for this size
    std::atomic<std::uint64_t> next_segment_bytes_;
    std::shared_ptr<Files> files_;
    SegmentCatalog& catalog_;
    SegmentCatalog::Pointer open_;
    StreamState state_;
    RelationTable relations_;
    bool tail_is_dirty_ = false;  // bytes of a failed append may lie behind the end
};

}  // namespace fanout::journal
