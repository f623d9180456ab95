// The part of Reader that looks at a table: what kind it is, whether it is still what was planned
// for, and which indexes it has once its rows are there.
//
// Its own thread's session asks the source; what was seen is taken over under the copier's mutex.
#include "sidecar/backfill/chunk/reader.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::backfill {

/// What kind of table it is, and how it will be copied.
Status Reader::look(const ChunkJob& job) {
    auto shape =
        read_shape(source_.eyes(), job.table, copier_.parts_.owner, {job.columns, job.masks});
    if (!shape.is_ok()) return shape.status();
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
        copy->last_error.clear();
        if (seen == nullptr) {  // dropped meanwhile: nothing to copy, and no change will come
            copier_.forget(*copy);
            return Status::ok();
        }
        copy->shape = seen;
        copy->mode = seen->key ? CopyMode::ordered : CopyMode::snapshot;
        copy->request.schema = seen->schema;
        copy->request.name = seen->name;
        copier_.news_ = true;
    }
    copier_.ask_lane();
    return Status::ok();
}

/// What the rows being there leaves to do. The lane has to be where the table is what was seen.
Status Reader::look_at_indexes(const ChunkJob& job) {
    auto shape =
        read_shape(source_.eyes(), job.table, copier_.parts_.owner, {job.columns, job.masks});
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
        copy->last_error.clear();
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

/// The shape cannot change any more; it has to be the one that was planned for.
Status Reader::check_shape(ChunkJob& job) {
    auto now =
        read_shape(source_.eyes(), job.table, copier_.parts_.owner, {job.columns, job.masks});
    if (!now.is_ok()) return now.status();
    const auto& seen = now.value();
    const std::lock_guard lock(copier_.mutex_);
    auto* copy = copier_.find(job.table);
    if (copy == nullptr) return Status::retry("the table is no longer to be copied");
    if (seen == nullptr) {
        copier_.forget(*copy);
        return Status::retry("the table was dropped");
    }
    const bool same_name = seen->quoted == job.shape->quoted;
    const bool same_key = job.mode != CopyMode::ordered ||
                          (seen->key && seen->key->columns == job.shape->key->columns &&
                           seen->key->kinds == job.shape->key->kinds);
    if (!same_key) {
        copy->restart();
        return Status::retry("the table's key has changed");
    }
    const bool first = job.shape->columns.empty();  // known from a note only
    if (!first && same_name && seen->same_shape(job.shape->table) &&
        seen->leaves_out == job.shape->leaves_out)
        return Status::ok();
    copy->shape = seen;
    job.shape = seen;
    return same_name ? Status::ok() : Status::retry("the table was renamed");
}

}  // namespace fanout::backfill
