// Changes on their way into one write: complete transactions first, then at most one that is
// still open.
//
// A batch ends at a commit. Only a transaction that is larger than the limits alone is handed over
// in parts. Owns the tables of changes and the arena of values; the values' bytes are the
// journal's. Lane thread.
#pragma once

#include <cstdint>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/connector/abi.h"
#include "sidecar/lane/arena.hpp"

namespace fanout::lane {

class BatchBuilder {
  public:
    void begin(Lsn commit_lsn, Lsn end_lsn, PgTime commit_time, std::uint32_t xid);
    void add(const fanout_change& change, std::uint64_t record_bytes);
    /// The open transaction is complete. One without changes leaves no trace.
    void commit();
    /// The open transaction is void.
    void drop_open();

    bool in_transaction() const { return in_transaction_; }
    /// Part of the open transaction is at the connector already.
    bool open_part_written() const { return in_transaction_ && part_written_; }

    bool has_complete() const { return !complete_.empty(); }
    /// Rows of the open transaction that are held here.
    std::uint64_t open_rows() const;
    /// Nothing in here points anywhere.
    bool empty() const { return changes_.empty() && complete_.empty(); }

    /// Changes and bytes held, arena included.
    std::uint64_t rows() const { return changes_.size(); }
    std::uint64_t bytes() const { return record_bytes_ + arena_.bytes(); }

    /// The complete transactions; valid until the next call that is not const.
    fanout_batch complete_batch();
    void release_complete();

    /// What there is of the open transaction; no complete one may be waiting.
    fanout_batch open_batch();
    void release_open_part();

    void clear();
    Arena& arena() { return arena_; }

  private:
    struct Extent {
        fanout_transaction transaction;
        std::size_t first;  // in changes_
    };

    std::vector<fanout_change> changes_;
    std::vector<Extent> complete_;
    std::vector<fanout_transaction> view_;  // what complete_batch() and open_batch() point to
    Extent open_{};
    Arena arena_;
    std::uint64_t record_bytes_ = 0;
    bool in_transaction_ = false;
    bool part_written_ = false;
};

}  // namespace fanout::lane
