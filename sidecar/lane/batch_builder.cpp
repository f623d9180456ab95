// Changes stand in one vector, transactions are extents of it; pointers are set when a view is
// asked for, because the vector moves while it grows.
#include "sidecar/lane/batch_builder.hpp"

namespace fanout::lane {

void BatchBuilder::begin(Lsn commit_lsn, Lsn end_lsn, PgTime commit_time, std::uint32_t xid) {
    open_ = {};
    open_.transaction.commit_lsn = commit_lsn;
    open_.transaction.end_lsn = end_lsn;
    open_.transaction.commit_time = commit_time;
    open_.transaction.xid = xid;
    open_.first = changes_.size();
    in_transaction_ = true;
    part_written_ = false;
}

void BatchBuilder::add(const fanout_change& change, std::uint64_t record_bytes) {
    changes_.push_back(change);
    record_bytes_ += record_bytes;
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

void BatchBuilder::drop_open() {
    if (!in_transaction_) return;
    changes_.resize(open_.first);
    in_transaction_ = false;
    part_written_ = false;
    if (empty()) clear();
}

fanout_batch BatchBuilder::complete_batch() {
    view_.clear();
    std::size_t changes = 0;
    for (const auto& extent : complete_) {
        view_.push_back(extent.transaction);
        view_.back().changes = changes_.data() + extent.first;
        changes += extent.transaction.change_count;
    }
    return {view_.data(), view_.size(), changes};
}

void BatchBuilder::release_complete() {
    complete_.clear();
    if (!in_transaction_ || open_.first == changes_.size()) {
        // No value is referred to any more; an open transaction without changes goes on.
        const bool open = in_transaction_, part = part_written_;
        clear();
        in_transaction_ = open;
        part_written_ = part;
        open_.first = 0;
        return;
    }
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(open_.first));
    open_.first = 0;
}

fanout_batch BatchBuilder::open_batch() {
    view_.assign(1, open_.transaction);
    view_[0].begins = part_written_ ? 0 : 1;
    view_[0].ends = 0;
    view_[0].changes = changes_.data() + open_.first;
    view_[0].change_count = changes_.size() - open_.first;
    return {view_.data(), 1, view_[0].change_count};
}

void BatchBuilder::release_open_part() {
    clear();
    in_transaction_ = true;
    part_written_ = true;
    open_.first = 0;
}

void BatchBuilder::clear() {
    changes_.clear();
    complete_.clear();
    view_.clear();
    arena_.reset();
    record_bytes_ = 0;
    in_transaction_ = false;
    part_written_ = false;
}

}  // namespace fanout::lane
