// Rows are counted when they are written: afterwards the batch may be gone.
#include "sidecar/lane/in_flight.hpp"

#include <algorithm>
#include <utility>

namespace fanout::lane {

fanout_batch InFlight::keep(Batch batch) {
    Oid32 last = 0;
    std::uint64_t* count = nullptr;
    for (const fanout_transaction& transaction : batch.transactions) {
        written_.transactions += transaction.ends;
        for (std::size_t i = 0; i < transaction.change_count; ++i) {
            const fanout_table* table = transaction.changes[i].table;
            if (table == nullptr) continue;  // truncate, message
            if (count == nullptr || table->oid != last) {
                last = table->oid;
                count = &written_.table_rows[last];
            }
            ++*count;
            ++written_.rows;
        }
    }
    batches_.push_back(std::move(batch));
    ++writes_;
    return batches_.back().view();
}

const fanout_change* InFlight::find_copied(std::uint64_t index) const {
    for (const Batch& batch : batches_) {
        if (!batch.rows) continue;
        const auto found = std::ranges::find(batch.changes, index, &fanout_change::index);
        if (found != batch.changes.end()) return &*found;
    }
    return nullptr;
}

void InFlight::flushed(const fanout_cursor& cursor) {
    written_.any = true;
    written_.cursor = cursor;
    flushes_.push_back(std::exchange(written_, {}));
}

Delivered InFlight::take_durable(std::uint64_t flushes) {
    Delivered sum;
    for (; !flushes_.empty() && flushes_taken_ < flushes; ++flushes_taken_) {
        Delivered& one = flushes_.front();
        sum.any = true;
        sum.cursor = one.cursor;
        sum.rows += one.rows;
        sum.transactions += one.transactions;
        for (const auto& [oid, rows] : one.table_rows)
            sum.table_rows[oid] += rows;
        flushes_.pop_front();
    }
    return sum;
}

}  // namespace fanout::lane
