// Changes on their way into one write: complete transactions first, then at most one that is
// still open.
//
// A batch ends at a commit. Only a transaction that is larger than the limits alone is handed over
// in parts. What is handed over takes its memory along and lives until the connector is done with
// it; values' bytes are the journal's. Lane thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/connector/abi.h"
#include "sidecar/lane/arena.hpp"

namespace fanout::lane {

/// What one write is given. Moving it leaves what the view points to where it is.
struct Batch {
    std::vector<fanout_change> changes;
    std::vector<fanout_transaction> transactions;
    std::vector<std::shared_ptr<Arena>> arenas;  // of the values' tables
    std::shared_ptr<const void> rows, shape;     // of copied ones
    std::uint64_t first_record = 0;              // the oldest record that is pointed into

    fanout_batch view() const { return {transactions.data(), transactions.size(), change_count}; }
    std::uint64_t change_count = 0;  // in all transactions
};

class BatchBuilder {
  public:
    void begin(Lsn commit_lsn, Lsn end_lsn, PgTime commit_time, std::uint32_t xid);
    /// `record`: which of the records read it is, `record_bytes` long.
    void add(const fanout_change& change, std::uint64_t record_bytes, std::uint64_t record);
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
    /// The oldest record that is pointed into; `otherwise` if there is none.
    std::uint64_t first_record(std::uint64_t otherwise) const;

    /// Changes and bytes held, values' tables included.
    std::uint64_t rows() const { return changes_.size(); }
    std::uint64_t bytes() const { return held_bytes_ + arena_->bytes() - arena_counted_; }

    /// The complete transactions.
    Batch take_complete();
    /// What there is of the open transaction; no complete one may be waiting.
    Batch take_open_part();
    /// Memory of a batch that is done with, for the next one.
    void recycle(Batch batch);

    Arena& arena() { return *arena_; }

  private:
    struct Extent {
        fanout_transaction transaction;
        std::size_t first;  // in changes_
    };

    void count_arena();
    void clear();
    Batch hand_over(std::size_t changes);

    std::vector<fanout_change> changes_;
    std::vector<Extent> complete_;
    Extent open_{};
    std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
    std::shared_ptr<Arena> shared_arena_;  // of the batch before: the open transaction began there
    Batch spare_;
    std::uint64_t held_bytes_ = 0;     // records, and what was counted of the arena
    std::uint64_t arena_counted_ = 0;  // of arena_->bytes()
    std::uint64_t open_bytes_ = 0;     // held_bytes_ when the open transaction began
    std::uint64_t first_record_ = 0, open_first_record_ = 0;
    bool in_transaction_ = false;
    bool part_written_ = false;
};

}  // namespace fanout::lane
