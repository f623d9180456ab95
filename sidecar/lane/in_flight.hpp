// What the connector has been given and is not done with: the memory of its writes, and what its
// flushes are worth once they are durable.
//
// A connector that does everything within its calls leaves nothing here. Lane thread.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/connector/abi.h"
#include "sidecar/lane/batch_builder.hpp"

namespace fanout::lane {

/// What one or several flushes have made durable.
struct Delivered {
    bool any = false;
    fanout_cursor cursor{};
    std::uint64_t rows = 0, transactions = 0;
    std::unordered_map<Oid32, std::uint64_t> table_rows;
};

class InFlight {
  public:
    /// Keeps the batch; the view stays valid until it is released.
    fanout_batch keep(Batch batch);
    /// The connector has begun to flush everything written so far.
    void flushed(const fanout_cursor& cursor);

    /// Gives the batches back that the connector is done with.
    template <typename Recycle>
    void release(std::uint64_t writes, Recycle&& recycle) {
        for (; !batches_.empty() && writes_released_ < writes; ++writes_released_) {
            recycle(std::move(batches_.front()));
            batches_.pop_front();
        }
    }
    /// Takes out those of the first `flushes` that were not taken yet.
    Delivered take_durable(std::uint64_t flushes);

    /// The copied row of that ordinal, if the connector still has it.
    const fanout_change* find_copied(std::uint64_t index) const;

    std::uint64_t writes() const { return writes_; }
    std::uint64_t flushes() const { return flushes_taken_ + flushes_.size(); }
    std::size_t writes_pending() const { return batches_.size(); }
    bool flush_pending() const { return !flushes_.empty(); }
    /// Nothing written, nothing flushed that is not durable.
    bool empty() const { return batches_.empty() && flushes_.empty() && written_.rows == 0; }
    std::uint64_t first_record(std::uint64_t otherwise) const {
        return batches_.empty() ? otherwise : batches_.front().first_record;
    }

  private:
    std::deque<Batch> batches_;
    std::deque<Delivered> flushes_;
    Delivered written_;  // since the last flush
    std::uint64_t writes_ = 0, writes_released_ = 0, flushes_taken_ = 0;
};

}  // namespace fanout::lane
