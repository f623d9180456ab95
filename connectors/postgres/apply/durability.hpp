// Which commits of a session that does not wait for them are durable: the target's WAL is written
// in order, so a commit is once the WAL is flushed up to a position that was inserted after it.
//
// Lane's thread. Plain bookkeeping; positions come back with each cursor statement.
#pragma once

#include <deque>

#include "fanout/base/ids.hpp"
#include "fanout/connector/abi.h"

namespace fanout::postgres {

class Durability {
  public:
    void reset(const fanout_cursor& cursor) {
        waiting_.clear();
        durable_ = cursor;
    }
    /// Committed, not known to be durable.
    void committed(const fanout_cursor& cursor) { waiting_.push_back({cursor, 0}); }
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
    const fanout_cursor& durable() const { return durable_; }

  private:
    struct Waiting {
        fanout_cursor cursor;
        Lsn behind;  // a position after its commit; 0 while none is known
    };
    void take_first() {
        durable_ = waiting_.front().cursor;
        waiting_.pop_front();
    }
    std::deque<Waiting> waiting_;
    fanout_cursor durable_{};
};

}  // namespace fanout::postgres
