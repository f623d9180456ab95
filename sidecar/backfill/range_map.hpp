// Which keys of a table are copied, being copied, or still to come: ranges side by side from one
// end of the keys to the other.
//
// Plain data with rules; whoever owns it locks. A range is never lost: splitting and joining keep
// the whole covered, and only equal neighbours are joined.
//
// Where only the source knows the order, a key has no place among them: single keys to be read
// again stand in front of the ranges, and each is in one of those besides.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "fanout/base/ids.hpp"
#include "sidecar/backfill/key_order.hpp"
#include "sidecar/backfill/visibility.hpp"

namespace fanout::backfill {

struct Window;

enum class RangeState : std::uint8_t {
    pending,  // to be copied; its changes are dropped, a snapshot to come sees them
    claimed,  // a reader prepares to copy it; otherwise as pending
    open,     // its snapshot is taken, its rows are not at the target yet
    landed,   // its rows are at the target; the stream has not yet passed all its snapshot sees
    done,     // an ordinary part of the table
};

struct Range {
    Bound upper;  // the lower one is the neighbour's
    RangeState state = RangeState::pending;
    std::shared_ptr<const Snapshot> snapshot;  // open, landed
    Lsn passed_at = 0;                         // landed: done once the lane is here
    std::uint64_t id = 0;  // of claimed and open ones: their reader's; several may share it
    bool single = false;   // the upper bound's key alone, in front of the ranges
};

class RangeMap {
  public:
    RangeMap() : ranges_(1) {}
    explicit RangeMap(std::vector<Range> ranges) : ranges_(std::move(ranges)) {}

    const std::vector<Range>& ranges() const { return ranges_; }
    std::vector<Range>& ranges() { return ranges_; }
    Bound lower(std::size_t i) const {
        return i == 0 || ranges_[i - 1].single ? Bound{} : ranges_[i - 1].upper;
    }

    /// The range that holds `key`.
    std::size_t find(const KeyShape& shape, const KeyValues& key) const;
    /// The first with that id.
    std::optional<std::size_t> find_id(std::uint64_t id) const;
    /// The only key that range `i` holds, if it is such a range. Made by reopen_…().
    std::shared_ptr<const KeyValues> only_key(std::size_t i) const;

    /// Cuts range `i` at `at`: the part above goes on as range i + 1, in the same state.
    void split(std::size_t i, Bound at);
    /// `key` alone becomes pending.
    void reopen_key(const KeyShape& shape, const KeyValues& key);
    /// As that, where its place is not known.
    void reopen_single(const KeyValues& key);
    /// The row of `key` is at the target, if the source has it: all ranges are done, and it is none
    /// of the single keys.
    bool is_done(const KeyValues& key) const;
    /// Ranges with that id are pending again, and nobody's.
    void release(std::uint64_t id);
    /// What ranges with that id hold behind `cut` becomes a pending range.
    void release_behind(const KeyShape& shape, std::uint64_t id, const Bound& cut);
    /// Landed ranges whose snapshot lies behind the lane are done; equal neighbours become one.
    void pass(Lsn position);
    void join();

    bool all_done() const;

  private:
    static void release(Range& range);
    std::vector<Range> ranges_;
};

}  // namespace fanout::backfill
