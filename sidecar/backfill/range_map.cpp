// See range_map.hpp.
#include "sidecar/backfill/range_map.hpp"

#include <algorithm>

namespace fanout::backfill {
namespace {

/// Is `key` below `bound`, that is in front of it?
bool in_front(const KeyShape& shape, const KeyValues& key, const Bound& bound) {
    if (bound.key == nullptr) return true;
    const auto order = shape.compare(key, *bound.key);
    return order < 0 || (order == 0 && bound.behind);
}

/// Is `a` at `b` or in front of it? An upper end of the table is behind everything.
bool not_behind(const KeyShape& shape, const Bound& a, const Bound& b) {
    if (a.key == nullptr) return b.key == nullptr;
    if (b.key == nullptr) return true;
    const auto order = shape.compare(*a.key, *b.key);
    return order < 0 || (order == 0 && (!a.behind || b.behind));
}

bool same(const Range& a, const Range& b) {
    if (a.single || b.single) return false;
    if (a.state != b.state || a.id != b.id) return false;
    if (a.state != RangeState::landed) return a.state != RangeState::open;
    return *a.snapshot == *b.snapshot;
}

}  // namespace

std::size_t RangeMap::find(const KeyShape& shape, const KeyValues& key) const {
    const auto found = std::partition_point(
        ranges_.begin(), ranges_.end() - 1,
        [&](const Range& range) { return !in_front(shape, key, range.upper); });
    return static_cast<std::size_t>(found - ranges_.begin());
}

std::optional<std::size_t> RangeMap::find_id(std::uint64_t id) const {
    for (std::size_t i = 0; i < ranges_.size(); ++i)
        if (ranges_[i].id == id) return i;
    return std::nullopt;
}

void RangeMap::split(std::size_t i, Bound at) {
    Range below = ranges_[i];
    below.upper = std::move(at);
    ranges_.insert(ranges_.begin() + static_cast<std::ptrdiff_t>(i), std::move(below));
}

void RangeMap::reopen_key(const KeyShape& shape, const KeyValues& key) {
    const auto shared = std::make_shared<const KeyValues>(key);
    std::size_t i = find(shape, key);
    split(i, {shared, false});
    split(i + 1, {shared, true});
    release(ranges_[i + 1]);
}

/// Whatever is still to land of it will be as the lane has it by then.
void RangeMap::reopen_single(const KeyValues& key) {
    const bool to_come = std::ranges::any_of(ranges_, [&](const Range& range) {
        return range.single && range.state != RangeState::landed && *range.upper.key == key;
    });
    if (to_come) return;
    Range range;
    range.upper = {std::make_shared<const KeyValues>(key), true};
    range.single = true;
    ranges_.insert(ranges_.begin(), std::move(range));
}

bool RangeMap::is_done(const KeyValues& key) const {
    return std::ranges::all_of(ranges_, [&](const Range& range) {
        return range.single ? *range.upper.key != key : range.state == RangeState::done;
    });
}

void RangeMap::release(Range& range) {
    range.state = RangeState::pending;
    range.snapshot.reset();
    range.id = 0;
}

void RangeMap::release(std::uint64_t id) {
    if (id == 0) return;  // nobody's
    for (Range& range : ranges_)
        if (range.id == id) release(range);
}

void RangeMap::release_behind(const KeyShape& shape, std::uint64_t id, const Bound& cut) {
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
        if (ranges_[i].id != id) continue;
        if (shape.server_ordered()) {
            // The only one with that id, and the cut is in it.
            if (ranges_[i].upper.key != nullptr && *ranges_[i].upper.key == *cut.key) return;
            split(i, cut);
            release(ranges_[i + 1]);
            return;
        }
        if (not_behind(shape, ranges_[i].upper, cut)) continue;
        const bool wholly = i != 0 && not_behind(shape, cut, ranges_[i - 1].upper);
        if (!wholly) split(i++, cut);
        release(ranges_[i]);
    }
}

std::shared_ptr<const KeyValues> RangeMap::only_key(std::size_t i) const {
    if (ranges_[i].single) return ranges_[i].upper.key;
    const Bound from = lower(i), &to = ranges_[i].upper;
    const bool one = from.key != nullptr && to.key != nullptr && !from.behind && to.behind &&
                     *from.key == *to.key;
    return one ? to.key : nullptr;
}

void RangeMap::pass(Lsn position) {
    for (Range& range : ranges_) {
        if (range.state != RangeState::landed || range.passed_at > position) continue;
        range.state = RangeState::done;
        range.snapshot.reset();
    }
    std::erase_if(ranges_, [](const Range& r) { return r.single && r.state == RangeState::done; });
    join();
}

void RangeMap::join() {
    std::vector<Range> joined;
    for (Range& range : ranges_) {
        if (!joined.empty() && same(joined.back(), range)) {
            joined.back().upper = range.upper;
            joined.back().passed_at = std::max(joined.back().passed_at, range.passed_at);
        } else {
            joined.push_back(std::move(range));
        }
    }
    ranges_ = std::move(joined);
}

bool RangeMap::all_done() const {
    return std::ranges::all_of(ranges_, [](const Range& r) { return r.state == RangeState::done; });
}

}  // namespace fanout::backfill
