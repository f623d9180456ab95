// Changes stand in one vector, transactions are extents of it; pointers are set when a batch is
// handed over, because the vector moves while it grows.
#include "sidecar/lane/batch_builder.hpp"

#include <utility>

namespace fanout::lane {

void BatchBuilder::begin(Lsn commit_lsn, Lsn end_lsn, PgTime commit_time, std::uint32_t xid) {
    count_arena();
    open_ = {};
    open_.transaction.commit_lsn = commit_lsn;
    open_.transaction.end_lsn = end_lsn;
    open_.transaction.commit_time = commit_time;
    open_.transaction.xid = xid;
    open_.first = changes_.size();
    open_bytes_ = held_bytes_;
    in_transaction_ = true;
    part_written_ = false;
}

void BatchBuilder::add(const fanout_change& change, std::uint64_t record_bytes,
                       std::uint64_t record) {
    if (changes_.empty()) first_record_ = record;
    if (changes_.size() == open_.first) open_first_record_ = record;
    changes_.push_back(change);
    held_bytes_ += record_bytes;
}

void BatchBuilder::commit() {
    in_transaction_ = false;
    open_.transaction.change_count = changes_.size() - open_.first;
    if (open_.transaction.change_count == 0 && !part_written_) return;
    open_.transaction.begins = part_written_ ? 0 : 1;
    open_.transaction.ends = 1;
    complete_.push_back(open_);
    part_written_ = false;
}

std::uint64_t BatchBuilder::open_rows() const {
    std::uint64_t rows = 0;
    if (in_transaction_)
        for (std::size_t i = open_.first; i < changes_.size(); ++i)
            rows += changes_[i].table != nullptr ? 1 : 0;
    return rows;
}

std::uint64_t BatchBuilder::first_record(std::uint64_t otherwise) const {
    return changes_.empty() ? otherwise : first_record_;
}

void BatchBuilder::drop_open() {
    if (!in_transaction_) return;
    changes_.resize(open_.first);
    in_transaction_ = false;
    part_written_ = false;
    if (empty()) clear();
}

Batch BatchBuilder::take_complete() {
    const std::size_t end = in_transaction_ ? open_.first : changes_.size();
    std::vector<Extent> extents = std::exchange(complete_, {});
    Batch batch = hand_over(end);
    for (const Extent& extent : extents) {
        batch.transactions.push_back(extent.transaction);
        batch.transactions.back().changes = batch.changes.data() + extent.first;
        batch.change_count += extent.transaction.change_count;
    }
    return batch;
}

Batch BatchBuilder::take_open_part() {
    fanout_transaction part = open_.transaction;
    part.begins = part_written_ ? 0 : 1;
    part.ends = 0;
    part.change_count = changes_.size() - open_.first;
    Batch batch = hand_over(changes_.size());
    part.changes = batch.changes.data();
    batch.transactions.push_back(part);
    batch.change_count = part.change_count;
    part_written_ = true;
    return batch;
}

/// Parts with the first `changes` changes. What stays belongs to the open transaction, whose
/// values may stand in the same arena: that is shared then, and a new one begun.
Batch BatchBuilder::hand_over(std::size_t changes) {
    count_arena();
    Batch batch = std::exchange(spare_, {});
    batch.first_record = first_record_;
    std::shared_ptr<Arena> next;
    if (!batch.arenas.empty()) next = std::move(batch.arenas.front());
    if (!next) next = std::make_shared<Arena>();
    batch.arenas.clear();
    if (shared_arena_) batch.arenas.push_back(std::move(shared_arena_));
    std::swap(batch.changes, changes_);
    changes_.assign(batch.changes.begin() + static_cast<std::ptrdiff_t>(changes),
                    batch.changes.end());
    if (!changes_.empty()) shared_arena_ = arena_;
    batch.arenas.push_back(std::exchange(arena_, std::move(next)));
    arena_counted_ = 0;
    held_bytes_ = changes_.empty() ? 0 : held_bytes_ - open_bytes_;
    open_bytes_ = 0;
    open_.first = 0;
    first_record_ = open_first_record_;
    return batch;
}

void BatchBuilder::recycle(Batch batch) {
    if (!spare_.arenas.empty() || batch.arenas.empty()) return;
    std::shared_ptr<Arena> arena = std::move(batch.arenas.back());
    batch.arenas.clear();
    if (arena.use_count() != 1) return;
    arena->reset();
    batch.arenas.push_back(std::move(arena));
    batch.changes.clear();
    batch.transactions.clear();
    batch.change_count = 0;
    spare_ = std::move(batch);
}

void BatchBuilder::count_arena() {
    held_bytes_ += arena_->bytes() - arena_counted_;
    arena_counted_ = arena_->bytes();
}

void BatchBuilder::clear() {
    changes_.clear();
    shared_arena_.reset();
    arena_->reset();
    held_bytes_ = open_bytes_ = arena_counted_ = 0;
    open_.first = 0;
}

}  // namespace fanout::lane
