// Which commits of a session that does not wait for them are durable: the target's WAL is written
// in order, so a commit is once the WAL is flushed up to a position that was inserted after it.
//
// Lane's thread. Plain bookkeeping; positions come back with each cursor statement.
#pragma once

#include <cstdint>
#include <deque>

#include "fanout/base/ids.hpp"

namespace fanout::postgres {

class Durability {
  public:
    void reset() {
        waiting_.clear();
        durable_ = 0;
    }
    /// The first `flushes` are committed, not known to be durable.
    void committed(std::uint64_t flushes) { waiting_.push_back({flushes, 0}); }
    /// What the target said after the last committed(): its WAL is inserted and flushed up to here.
    void saw(Lsn inserted, Lsn flushed) {
        for (auto one = waiting_.rbegin(); one != waiting_.rend() && one->behind == 0; ++one)
            one->behind = inserted;
        while (!waiting_.empty() && waiting_.front().behind != 0 &&
               waiting_.front().behind <= flushed)
            take_first();
    }
    /// A commit behind all of them was waited for.
    void all_durable() {
        while (!waiting_.empty())
            take_first();
    }
    bool pending() const { return !waiting_.empty(); }
    /// So many flushes are durable.
    std::uint64_t durable() const { return durable_; }

  private:
    struct Waiting {
        std::uint64_t flushes;
        Lsn behind;  // a position after its commit; 0 while none is known
    };
    void take_first() {
        durable_ = waiting_.front().flushes;
        waiting_.pop_front();
    }
    std::deque<Waiting> waiting_;
    std::uint64_t durable_ = 0;
};

}  // namespace fanout::postgres
