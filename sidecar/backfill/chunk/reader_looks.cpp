// The part of Reader that looks at a table: what kind it is, whether it is still what was planned
// for, and which indexes it has once its rows are there.
//
// Its own thread's session asks the source; what was seen is taken over under the copier's mutex.
#include "sidecar/backfill/chunk/reader.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::backfill {
namespace {

using namespace std::chrono_literals;

/// How often a chunk is put back before it waits with its lock, and for how long at most.
constexpr unsigned kPutBackMax = 3;
constexpr auto kLanePatience = 500ms;

}  // namespace

/// What the lane has passed can be seen afterwards: a table that it has met, a change of it. The
/// lock of a chunk does that, too; who takes none needs this.
Status Reader::settle() {
    const auto settled = source_.settle();
    if (!settled.is_ok() || settled.value()) return settled.status();
    return Status::retry(kUnsettled);
}

/// What kind of table it is, and how it will be copied. The lane makes it ready where it has passed
/// all that was seen, if it has met no change by then.
Status Reader::look(const ChunkJob& job) {
    if (auto done = settle(); !done.is_ok()) return done;
    auto shape = read_shape(source_.eyes(), job.table, copier_.parts_.owner,
                            {job.columns, job.masks}, SizeToo::yes);
    if (!shape.is_ok()) return shape.status();
    const auto seen_at = source_.flush_wal();
    if (!seen_at.is_ok()) return seen_at.status();
    const auto seen = shape.value();
    if (seen && !seen->readable)
        return Status::fatal("role " + copier_.parts_.owner +
                             ", who owns the subscription, may not read " + seen->quoted);
    if (seen && !seen->reader_may)
        return Status::fatal("role " + source_.eyes().user() +
                             " of fanoutd may not read the whole of " + seen->quoted +
                             ": GRANT SELECT ON " + seen->quoted + " TO \"" +
                             source_.eyes().user() + "\" (and BYPASSRLS if row security is on)");
    {
        const std::lock_guard lock(copier_.mutex_);
        auto* copy = copier_.find(job.table);
        if (copy == nullptr || copy->mode != CopyMode::unknown) return Status::ok();
        copy->planning = false;
        copy->succeeded({true, nullptr});
        if (copy->schema_changes != job.schema_changes) return Status::ok();  // look again
        // Dropped meanwhile: nothing to copy, and once the lane is there no change will come.
        if (seen == nullptr && copier_.lane_at_ >= seen_at.value()) {
            copier_.forget(*copy);
            return Status::ok();
        }
        copy->shape_from = seen_at.value();
        copier_.settle_states();
        if (seen != nullptr) {
            copy->shape = seen;
            copy->mode = seen->key ? CopyMode::ordered : CopyMode::snapshot;
            copy->request.schema = seen->schema;
            copy->request.name = seen->name;
        }
        copier_.news_ = true;
    }
    copier_.ask_lane();
    return Status::ok();
}

/// What the rows being there leaves to do. The lane has to be where the table is what was seen.
Status Reader::look_at_indexes(const ChunkJob& job) {
    if (auto done = settle(); !done.is_ok()) return done;
    auto shape = read_shape(source_.eyes(), job.table, copier_.parts_.owner,
                            {job.columns, job.masks}, SizeToo::yes);
    if (!shape.is_ok()) return shape.status();
    auto found = source::read_indexes(source_.eyes(), job.table, job.columns, job.masks);
    if (!found.is_ok()) return found.status();
    const auto seen_at = source_.flush_wal();
    if (!seen_at.is_ok()) return seen_at.status();
    found.value().read_at = seen_at.value();
    if (!found.value().left_out.empty())
        log::info("indexes of the source that the target does not get",
                  {{"table", job.schema + "." + job.name}, {"indexes", found.value().left_out}});
    {
        const std::lock_guard lock(copier_.mutex_);
        auto* copy = copier_.find(job.table);
        if (copy == nullptr || copy->state != CopyState::indexing) return Status::ok();
        copy->planning = false;
        copy->succeeded({true, nullptr});
        if (copy->schema_changes != job.schema_changes) return Status::ok();  // look again
        if (shape.value() == nullptr) {
            copier_.forget(*copy);
            return Status::ok();
        }
        copy->shape = shape.value();
        copy->indexes = std::make_shared<const source::TableIndexes>(std::move(found.value()));
        copy->next_index = 0;
        if (copy->indexes->indexes.empty()) copy->finish();
        copier_.settle_states();
        copier_.news_ = copier_.turned_ = true;
    }
    copier_.ask_lane();
    return Status::ok();
}

/// The same table, which has got large values, or none any more.
void Reader::read_otherwise(ChunkJob& job, const std::shared_ptr<TableShape>& seen) {
    seen->bytes_estimate = job.shape->bytes_estimate;
    const std::lock_guard lock(copier_.mutex_);
    auto* copy = copier_.find(job.table);
    if (copy != nullptr && copy->shape == job.shape) copy->shape = seen;
    job.shape = seen;
}

/// With the chunk's lock, under which the shape cannot change any more. False: not now, or not in
/// this shape; table_copy.hpp has the rule.
Result<bool> Reader::check_shape(ChunkJob& job) {
    const bool first = job.shape->columns.empty();  // known from a note only, and not locked
    if (!first) {
        const auto still =
            is_still(source_.eyes(), *job.shape, copier_.parts_.owner, {job.columns, job.masks});
        if (!still.is_ok()) return still.status();
        if (still.value()) {
            is_put_back_no_more(job);
            return true;
        }
    }
    auto now = read_shape(source_.eyes(), job.table, copier_.parts_.owner, {job.columns, job.masks},
                          first ? SizeToo::yes : SizeToo::no);
    if (!now.is_ok()) return now.status();
    const auto& seen = now.value();
    if (seen != nullptr && seen->stamp == job.shape->stamp && !first) {
        if (seen->leaves_out != job.shape->leaves_out) read_otherwise(job, seen);
        is_put_back_no_more(job);
        return true;
    }
    if (seen != nullptr && !first) seen->bytes_estimate = job.shape->bytes_estimate;
    const auto seen_at = source_.flush_wal();
    if (!seen_at.is_ok()) return seen_at.status();
    const std::lock_guard lock(copier_.mutex_);
    auto* copy = copier_.find(job.table);
    const bool wanted = copy != nullptr && copy->under_way() && copy->shape != nullptr;
    if (!wanted) return Status::retry("the table is no longer to be copied");
    const bool there = copy->found(seen, seen_at.value(), copier_.lane_at_);
    if (copy->state == CopyState::fresh)
        log::warning("copy begins anew: the table's key has changed",
                     {{"table", job.schema + "." + job.name}});
    copier_.settle_states();
    if (!there) return false;
    if (seen == nullptr) {
        copier_.forget(*copy);
        return false;
    }
    copy->request.schema = seen->schema;
    copy->request.name = seen->name;
    const bool same_name = first || seen->rows_of == job.shape->rows_of;
    job.shape = seen;
    return same_name;
}

void Reader::is_put_back_no_more(const ChunkJob& job) {
    const std::lock_guard lock(copier_.mutex_);
    if (auto* copy = copier_.find(job.table)) copy->put_back = 0;
}

/// A table that is changed more often than the lane needs to come to a change would never be read.
/// So whoever has been put back a few times waits for the lane with the lock, for a moment, and
/// keeps the next change out. It has no snapshot yet, and the lane does not wait for it.
bool Reader::lane_comes(const ChunkJob& job) {
    std::unique_lock lock(copier_.mutex_);
    const auto comes = [&](const TableCopy* copy) {
        return copy != nullptr && copy->shape_from <= copier_.lane_at_;
    };
    auto* copy = copier_.find(job.table);
    if (copy == nullptr || copy->put_back < kPutBackMax) return false;
    copier_.ask_lane();
    copier_.changed_.wait_for(lock, kLanePatience, [&] {
        copy = copier_.find(job.table);
        return copier_.stopping_ || copy == nullptr || comes(copy);
    });
    return !copier_.stopping_ && comes(copy);
}

/// The table may have another name by now, or be gone.
Status Reader::see_why(ChunkJob& job, const Status& failure) {
    const std::string known = job.shape->stamp;
    const auto fits = check_shape(job);
    if (!fits.is_ok() || (fits.value() && job.shape->stamp == known)) return failure;
    return put_back(job);
}

}  // namespace fanout::backfill
