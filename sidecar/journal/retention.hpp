// Which segments may go: who wants what, and what happens over a limit.
//
// Any thread; one small mutex. Decides only; Journal::trim() removes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "sidecar/journal/journal_options.hpp"

namespace fanout::journal {

using SubscriptionId = std::uint32_t;

struct Laggard {
    SubscriptionId subscription;
    Lsn wanted_from;
};

struct TrimReport {
    std::uint64_t segments_removed = 0;
    std::uint64_t bytes_removed = 0;
    std::vector<Laggard> laggards;  // let go: each needs a resync
    Status status;                  // not ok: a file could not be removed
};

/// One sealed segment as retention sees it, oldest first.
struct SegmentFacts {
    std::uint64_t number;
    std::uint64_t bytes;
    Lsn complete_to;  // first_lsn of its successor: it is wanted from any LSN below
    std::chrono::system_clock::time_point created_at;
};

struct TrimDecision {
    std::size_t remove_count = 0;  // from the oldest on
    std::vector<Laggard> laggards;
};

class Retention {
  public:
    explicit Retention(const JournalOptions& options);

    void want(SubscriptionId subscription, Lsn from);
    void forget(SubscriptionId subscription);

    /// `sealed`: synced segments that are no longer written to. `open_bytes`: the one that is.
    /// Laggards that are let go are forgotten here. `limits_apply` false: only what nobody wants.
    TrimDecision decide(const std::vector<SegmentFacts>& sealed, std::uint64_t open_bytes,
                        std::chrono::system_clock::time_point now, bool limits_apply);

    void set_limits(const JournalOptions& options);
    bool holds_at_limit() const;

    /// Is this much, with the oldest sealed segment this old, over a limit?
    bool over_limit(std::uint64_t bytes, std::chrono::system_clock::duration oldest_age) const;

  private:
    bool is_over(std::uint64_t bytes, std::chrono::system_clock::duration oldest_age) const;
    Lsn wanted_from() const;  // with mutex_ held; the highest LSN if nobody wants anything

    mutable std::mutex mutex_;  // all below
    std::uint64_t bytes_max_;
    std::chrono::seconds age_max_;
    LimitAction limit_action_;
    std::map<SubscriptionId, Lsn> wanted_;
};

}  // namespace fanout::journal
