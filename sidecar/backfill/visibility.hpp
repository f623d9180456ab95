// Which transactions a snapshot sees, by their ids as 64 bits wide: an id of the stream has 32 and
// is extended by the epoch that is nearest to the snapshot. Plain data.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanout::backfill {

/// The 64-bit id next to `near` whose low half is `xid`. Running transactions are at most 2^31
/// apart, so it is the one that was meant.
inline std::uint64_t full_xid(std::uint32_t xid, std::uint64_t near) {
    const auto distance = static_cast<std::int32_t>(xid - static_cast<std::uint32_t>(near));
    return near + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
}

/// pg_snapshot, as pg_current_snapshot() prints it: xmin:xmax:xip,…
class Snapshot {
  public:
    static std::optional<Snapshot> parse(std::string_view text) {
        Snapshot out;
        out.text_ = text;
        const auto take = [&](char end) -> std::optional<std::uint64_t> {
            std::uint64_t number = 0;
            const auto [at, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
            const auto used = static_cast<std::size_t>(at - text.data());
            if (bad != std::errc() || used == 0) return std::nullopt;
            text.remove_prefix(used);
            if (text.empty()) return end == ':' ? std::nullopt : std::optional(number);
            if (text.front() != end) return std::nullopt;
            text.remove_prefix(1);
            return number;
        };
        const auto xmin = take(':'), xmax = xmin ? take(':') : std::nullopt;
        // "5:5:" ends in the colon; take() has removed it.
        if (!xmin || !xmax) return std::nullopt;
        out.xmin_ = *xmin;
        out.xmax_ = *xmax;
        while (!text.empty()) {
            const auto running = take(',');
            if (!running) return std::nullopt;
            out.running_.push_back(*running);
        }
        std::sort(out.running_.begin(), out.running_.end());
        return out;
    }

    /// `xid`: the top transaction's, as the stream names it. Of a committed transaction.
    bool sees(std::uint32_t xid) const {
        const std::uint64_t full = full_xid(xid, xmax_);
        if (full < xmin_) return true;
        if (full >= xmax_) return false;
        return !std::binary_search(running_.begin(), running_.end(), full);
    }

    const std::string& text() const { return text_; }
    friend bool operator==(const Snapshot& a, const Snapshot& b) { return a.text_ == b.text_; }

  private:
    std::string text_;
    std::uint64_t xmin_ = 0, xmax_ = 0;
    std::vector<std::uint64_t> running_;
};

}  // namespace fanout::backfill
