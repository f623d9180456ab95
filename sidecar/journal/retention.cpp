// Retention's decisions.
#include "sidecar/journal/retention.hpp"

#include <algorithm>
#include <limits>

namespace fanout::journal {

Retention::Retention(const JournalOptions& options)
    : bytes_max_(options.bytes_max),
      age_max_(options.age_max),
      limit_action_(options.limit_action) {}

void Retention::set_limits(const JournalOptions& options) {
    const std::lock_guard lock(mutex_);
    bytes_max_ = options.bytes_max;
    age_max_ = options.age_max;
    limit_action_ = options.limit_action;
}

bool Retention::holds_at_limit() const {
    const std::lock_guard lock(mutex_);
    return limit_action_ == LimitAction::hold;
}

void Retention::want(SubscriptionId subscription, Lsn from) {
    const std::lock_guard lock(mutex_);
    wanted_[subscription] = from;
}

void Retention::forget(SubscriptionId subscription) {
    const std::lock_guard lock(mutex_);
    wanted_.erase(subscription);
}

Lsn Retention::wanted_from() const {
    Lsn from = std::numeric_limits<Lsn>::max();
    for (const auto& [subscription, wanted] : wanted_)
        from = std::min(from, wanted);
    return from;
}

bool Retention::over_limit(std::uint64_t bytes,
                           std::chrono::system_clock::duration oldest_age) const {
    const std::lock_guard lock(mutex_);
    return is_over(bytes, oldest_age);
}

/// With mutex_ held.
bool Retention::is_over(std::uint64_t bytes, std::chrono::system_clock::duration oldest_age) const {
    return (bytes_max_ != 0 && bytes > bytes_max_) ||
           (age_max_.count() != 0 && oldest_age > age_max_);
}

TrimDecision Retention::decide(const std::vector<SegmentFacts>& sealed, std::uint64_t open_bytes,
                               std::chrono::system_clock::time_point now, bool limits_apply) {
    const std::lock_guard lock(mutex_);
    TrimDecision decision;
    std::uint64_t bytes = open_bytes;
    for (const auto& segment : sealed)
        bytes += segment.bytes;
    for (const auto& segment : sealed) {
        if (segment.complete_to > wanted_from()) {
            const bool let_go = limits_apply && limit_action_ == LimitAction::needs_resync &&
                                is_over(bytes, now - segment.created_at);
            if (!let_go) break;
            for (auto it = wanted_.begin(); it != wanted_.end();) {
                if (it->second >= segment.complete_to) {
                    ++it;
                    continue;
                }
                decision.laggards.push_back({it->first, it->second});
                it = wanted_.erase(it);
            }
        }
        bytes -= segment.bytes;
        ++decision.remove_count;
    }
    return decision;
}

}  // namespace fanout::journal
