// How readers share a table that has no key to divide it by: its blocks, under the one snapshot of
// the reader that opened the window, which keeps that exported until everybody is done.
//
// Plain data with rules; whoever owns it locks. INVARIANT: each block is in one part, and the last
// part has no upper end, so that rows in blocks which were added meanwhile are in it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace fanout::backfill {

/// Blocks from `first` on, up to but without `end`; 0: all that follow.
struct Blocks {
    std::uint64_t first = 0, end = 0;
};

class BlockShare {
  public:
    /// A part is worth a statement of its own, and small enough that all readers end together.
    static constexpr std::uint64_t kPartMin = 64, kPartMax = 8192, kPartsPerReader = 8;

    BlockShare(std::string snapshot, std::uint64_t blocks, unsigned readers)
        : snapshot_(std::move(snapshot)),
          blocks_(blocks),
          part_(std::clamp(blocks / (std::uint64_t{readers} * kPartsPerReader), kPartMin,
                           kPartMax)) {}

    /// As pg_export_snapshot() named it.
    const std::string& snapshot() const { return snapshot_; }
    bool has_part() const { return !taken_all_; }
    /// The next part, which counts as being read until done().
    std::optional<Blocks> take() {
        if (taken_all_) return std::nullopt;
        const std::uint64_t first = next_;
        next_ += part_;
        taken_all_ = next_ >= blocks_;
        ++reading_;
        return Blocks{first, taken_all_ ? 0 : next_};
    }
    void done() { --reading_; }
    /// Nobody has anything left to read.
    bool is_done() const { return taken_all_ && reading_ == 0; }

  private:
    std::string snapshot_;
    std::uint64_t blocks_, part_, next_ = 0;
    unsigned reading_ = 0;
    bool taken_all_ = false;
};

}  // namespace fanout::backfill
