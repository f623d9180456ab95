// The part of Reader that takes ranges and gives them back: what may be read now, where a chunk
// ends, and what becomes of one that is not read.
#include <algorithm>

#include "sidecar/backfill/chunk/reader.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::backfill {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Between two attempts that fail for a reason which lasts: at most so long, and so many times as
/// long as the attempt took.
constexpr auto kPauseMax = 10'000ms;
constexpr int kPauseForTime = 20;
constexpr auto kLookAgain = 500ms;  // for what nobody announces: a lag, a limit, a pause
/// Chunks at the target that the stream has not caught up with; each is a part of the note.
constexpr std::ptrdiff_t kLandedMax = 64;
/// Single keys in one chunk.
constexpr std::size_t kKeysMax = 200;

constexpr const char* kWalDetail =
    "waiting: the slot's WAL is near max_slot_wal_keep_size; see retained_wal_bytes in "
    "fanout.streams";

constexpr const char* kShapeDetail =
    "waiting: the stream has not come to a change of the table's schema yet";

}  // namespace

/// Sleeps while there is nothing to do; nothing when it is worth another look.
std::optional<ChunkJob> Reader::claim() {
    const std::string held = copier_.parts_.held_back ? copier_.parts_.held_back() : "";
    std::unique_lock lock(copier_.mutex_);
    if (copier_.stopping_) return std::nullopt;
    std::size_t waiting = 0;
    for (const auto& [oid, copy] : copier_.tables_)
        waiting += copy.windows.size();
    const bool wanted = number_ <= copier_.options_.workers;
    bool any = false;
    for (auto& [oid, copy] : copier_.tables_) {
        if (!copy.wants_reader() || copy.request.paused || !copy.listed) continue;
        any = true;
        if (!wanted || Clock::now() < copy.retry_at) continue;
        const bool looks = copy.mode == CopyMode::unknown || copy.state == CopyState::indexing;
        if (!looks && (!held.empty() || waiting >= copier_.windows_max())) {
            if (!held.empty()) copy.detail = held;
            continue;
        }
        ChunkJob job;
        if (begin(copy, job)) return job;
    }
    if (any && wanted) {
        copier_.changed_.wait_for(lock, kLookAgain);
    } else {
        source_.drop();
        copier_.changed_.wait(lock);
    }
    return std::nullopt;
}

/// With the mutex: fills the job if the table has one.
bool Reader::begin(TableCopy& copy, ChunkJob& job) {
    job.table = copy.request.table;
    job.schema = copy.request.schema;
    job.name = copy.request.name;
    job.predicate = copy.request.predicate;
    job.filter = copy.request.filter;
    job.columns = copy.request.columns;
    job.masks = copy.request.masks;
    job.mode = copy.mode;
    job.shape = copy.shape;
    job.careful = copy.careful;
    job.rows =
        std::min({copy.chunk_rows, rows_by_rate(), copy.careful ? kChunkRowsMin : kChunkRowsMax});
    job.indexes = copy.state == CopyState::indexing;
    if (copy.shape_from > copier_.lane_at_ && !job.indexes) return false;
    if (copy.mode == CopyMode::unknown || job.indexes) {
        if (copy.planning) return false;
        copy.planning = true;
        job.schema_changes = copy.schema_changes;
        return true;
    }
    if (!copy.prepared) return false;
    auto& ranges = copy.ranges.ranges();
    const auto landed = std::count_if(ranges.begin(), ranges.end(), [](const Range& range) {
        return range.state == RangeState::landed;
    });
    if (landed >= kLandedMax) return false;
    return choose(copy, job) || choose_shared(copy, job);
}

/// With the mutex: the first stretch of keys that is to be copied, or else, or if there are many,
/// single keys that have to be read again. Each would otherwise be a chunk of its own, and keys
/// could move faster than they are read.
bool Reader::choose(TableCopy& copy, ChunkJob& job) {
    auto& ranges = copy.ranges.ranges();
    std::optional<std::size_t> stretch;
    std::vector<std::size_t> single;
    for (std::size_t i = 0; i < ranges.size() && single.size() < kKeysMax; ++i) {
        if (ranges[i].state != RangeState::pending) continue;
        if (copy.ranges.only_key(i) != nullptr)
            single.push_back(i);
        else if (!stretch)
            stretch = i;
    }
    if (!stretch && single.empty()) return false;
    job.id = copier_.next_id_++;
    const bool take_single = !stretch || single.size() == kKeysMax;
    if (!take_single) single.assign(1, *stretch);
    for (const std::size_t i : single) {
        ranges[i].state = RangeState::claimed;
        ranges[i].id = job.id;
        if (take_single) job.keys.push_back(copy.ranges.only_key(i));
    }
    job.lower = copy.ranges.lower(single.front());
    job.upper = ranges[single.front()].upper;
    return true;
}

/// Whatever keeps the source's WAL, no copy should be a part of it. Asked once a second.
bool Reader::short_of_wal() {
    {
        const std::lock_guard lock(copier_.mutex_);
        if (Clock::now() - copier_.wal_asked_at_ < 1s) return copier_.short_of_wal_;
        copier_.wal_asked_at_ = Clock::now();
    }
    const auto asked = source_.short_of_wal(copier_.parts_.subscription);
    if (!asked.is_ok())
        log::warning("cannot ask how near the slot is to its limit",
                     {{"error", asked.status().text()}});
    const bool is_short = asked.is_ok() && asked.value();
    const std::lock_guard lock(copier_.mutex_);
    copier_.short_of_wal_ = is_short;
    return is_short;
}

Status Reader::wait_for_wal(const ChunkJob& job) {
    {
        const std::lock_guard lock(copier_.mutex_);
        auto* copy = copier_.find(job.table);
        if (copy == nullptr) return Status::ok();
        copy->give_up(job.id);
        copy->detail = kWalDetail;
        copy->retry_at = Clock::now() + 1s;
        copier_.news_ = true;
    }
    copier_.ask_lane();
    return Status::ok();
}

Status Reader::choose_end(ChunkJob& job) {
    const auto end = source_.end_of(job);
    if (!end.is_ok()) return end.status();
    if (!end.value()) return Status::ok();
    {
        const std::lock_guard lock(copier_.mutex_);
        auto* copy = copier_.find(job.table);
        const auto i = copy == nullptr ? std::nullopt : copy->ranges.find_id(job.id);
        if (!i) return Status::retry("the range is no longer to be copied");
        copy->ranges.release_behind(*job.shape->key, job.id, *end.value());
    }
    job.upper = *end.value();
    copier_.changed_.notify_all();
    return Status::ok();
}

/// The server does not understand a bound or a key any more: an enum's label may have another name.
void Reader::begin_anew_if_keys_changed(const ChunkJob& job, const Status& why) {
    if (job.id == 0 || source_.understands_keys(job)) return;
    const std::lock_guard lock(copier_.mutex_);
    auto* copy = copier_.find(job.table);
    if (copy == nullptr || !copy->under_way()) return;
    log::warning("copy begins anew: its keys are not what they were",
                 {{"table", job.schema + "." + job.name}, {"error", why.text()}});
    copy->restart();
    copy->failed_at = {};  // it is over when the first chunk is there
}

/// No failure: the range is read later, in the shape that the stream has come to by then.
Status Reader::put_back(const ChunkJob& job) {
    {
        const std::lock_guard lock(copier_.mutex_);
        auto* copy = copier_.find(job.table);
        if (copy == nullptr) return Status::ok();
        copy->give_up(job.id);
        if (copy->shape_from > copier_.lane_at_) {
            copy->detail = kShapeDetail;
            ++copy->put_back;
        }
        copier_.news_ = true;
    }
    copier_.changed_.notify_all();
    copier_.ask_lane();
    return Status::ok();
}

/// What has failed before is not in the way any more.
void Reader::is_read(const ChunkJob& job) {
    const std::lock_guard lock(copier_.mutex_);
    auto* copy = copier_.find(job.table);
    if (copy == nullptr || !copy->succeeded({false, job.lower.key})) return;
    copier_.news_ = true;
}

/// The range is to be copied again, by anybody. If it will fail again (`lasts`), the table is left
/// alone for longer and longer, and for longer if much was read in vain.
void Reader::give_back(const ChunkJob& job, const Status& why, bool lasts) {
    if (copier_.stopping_) return;
    {
        const std::lock_guard lock(copier_.mutex_);
        auto* copy = copier_.find(job.table);
        if (copy == nullptr) return;
        if (job.id == 0) copy->planning = false;
        const bool has_part = job.snapshot.empty() || job.blocks;
        if (job.id != 0 && has_part) copy->give_up(job.id);
        ++copy->retries;
        copy->retry_at = Clock::now() + 200ms;
        if (lasts) {
            copy->failed({job.id == 0, job.lower.key}, why.text());
            copy->retry_at =
                Clock::now() + std::min(kPauseMax, 100ms * (1 << std::min(copy->failures, 10U)));
            copy->retry_at += kPauseForTime * (Clock::now() - begun_at_);
        } else if (copy->failures == 0) {
            copy->last_error = why.text();
        }
        copier_.news_ = true;
        log::debug("chunk given back", {{"table", job.name}, {"error", why.text()}});
    }
    copier_.changed_.notify_all();
    copier_.ask_lane();
}

}  // namespace fanout::backfill
