// See reader.hpp, and docs/backfill.md for why the steps stand in this order.
#include "sidecar/backfill/chunk/reader.hpp"

#include <algorithm>

#include "sidecar/backfill/chunk/large_values.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::backfill {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kLookAgain = 500ms;  // for what nobody announces: a lag, a limit, a pause
constexpr auto kHoldPatience = 5s;
constexpr double kChunkSeconds = 0.25;
constexpr std::uint64_t kChunkRowsMin = 200, kChunkRowsMax = 500'000;
/// Chunks at the target that the stream has not caught up with; each is a part of the note.
constexpr std::ptrdiff_t kLandedMax = 64;
constexpr std::size_t kPiecesMax = 2;
/// Of large values, which are not in memory.
constexpr std::uint64_t kChunkFileBytes = 32U << 20;
/// Single keys in one chunk.
constexpr std::size_t kKeysMax = 200;

constexpr const char* kWalDetail =
    "waiting: the slot's WAL is near max_slot_wal_keep_size; see retained_wal_bytes in "
    "fanout.streams";

constexpr const char* kShapeDetail =
    "waiting: the stream has not come to a change of the table's schema yet";

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

void Reader::run() {
    while (!copier_.stopping_) {
        auto job = claim();
        if (!job) continue;
        if (const auto done = work(*job); done.is_ok()) {
            backoff_.reset();
        } else {
            give_back(*job, done);
            if (done.kind() == StatusKind::retry) source_.drop();
            pause(std::chrono::duration_cast<std::chrono::milliseconds>(backoff_.next()));
        }
    }
}

void Reader::pause(std::chrono::milliseconds time) {
    std::unique_lock lock(copier_.mutex_);
    copier_.changed_.wait_for(lock, time, [&] { return copier_.stopping_.load(); });
}

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

Status Reader::work(ChunkJob& job) {
    if (auto done = source_.connect(); !done.is_ok()) return done;
    if (job.indexes) return look_at_indexes(job);
    if (job.id == 0) return look(job);
    if (!job.snapshot.empty()) return join(job);
    const auto start = Clock::now();
    if (short_of_wal()) return wait_for_wal(job);
    if (job.shape->columns.empty()) {  // known from a note only
        const auto fits = check_shape(job);
        if (!fits.is_ok()) return fits.status();
        if (!fits.value()) return put_back(job);
    }
    if (job.mode == CopyMode::ordered && job.keys.empty())
        if (auto done = choose_end(job); !done.is_ok()) return see_why(job, done);
    if (auto done = source_.begin(*job.shape); !done.is_ok()) {
        source_.roll_back();
        return see_why(job, done);
    }
    const auto fits = check_shape(job);
    if (!fits.is_ok() || !fits.value()) {
        source_.roll_back();
        return fits.is_ok() ? put_back(job) : fits.status();
    }
    auto window = open_window(job);
    if (!window.is_ok()) {
        source_.roll_back();
        return window.status();
    }
    if (job.mode == CopyMode::snapshot) return read_table(job, *window.value());
    if (auto done = read_rows(job, *window.value()); !done.is_ok()) return done;
    adapt(job, seconds_read_);
    slow_down(start, rows_read_, bytes_read_);
    return Status::ok();
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
    if (end.status().kind() == StatusKind::corruption) begin_anew(job, end.status());
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

/// The server does not understand a bound any more: an enum's label may have another name.
void Reader::begin_anew(const ChunkJob& job, const Status& why) {
    const std::lock_guard lock(copier_.mutex_);
    auto* copy = copier_.find(job.table);
    if (copy == nullptr || !copy->under_way()) return;
    log::warning("copy begins anew: its keys are not what they were",
                 {{"table", job.schema + "." + job.name}, {"error", why.text()}});
    copy->restart();
}

/// No failure: the range is read later, in the shape that the stream has come to by then.
Status Reader::put_back(const ChunkJob& job) {
    {
        const std::lock_guard lock(copier_.mutex_);
        auto* copy = copier_.find(job.table);
        if (copy == nullptr) return Status::ok();
        copy->give_up(job.id);
        if (copy->shape_from > copier_.lane_at_) copy->detail = kShapeDetail;
        copier_.news_ = true;
    }
    copier_.changed_.notify_all();
    copier_.ask_lane();
    return Status::ok();
}

/// The lane stands still, everything it has passed is made visible, then the snapshot is taken.
Result<std::shared_ptr<Window>> Reader::open_window(const ChunkJob& job) {
    std::uint64_t number = 0;
    {
        std::unique_lock lock(copier_.mutex_);
        ++copier_.hold_.waiting;
        number = copier_.hold_.number;
        copier_.ask_lane();
        const bool held = copier_.changed_.wait_for(lock, kHoldPatience, [&] {
            return copier_.stopping_ || (copier_.hold_.on && copier_.hold_.number != number);
        });
        if (!held || copier_.stopping_) {
            --copier_.hold_.waiting;
            return Status::retry("the lane did not come to a commit boundary");
        }
        number = copier_.hold_.number;
        --copier_.hold_.waiting;
    }
    auto text = source_.settled_snapshot();
    const std::lock_guard lock(copier_.mutex_);
    const bool in_time = copier_.hold_.on && copier_.hold_.number == number;
    if (in_time) --copier_.hold_.expected;
    copier_.changed_.notify_all();
    auto* copy = copier_.find(job.table);
    if (!text.is_ok()) {
        if (copy != nullptr && text.status().kind() == StatusKind::corruption)
            copy->detail = kUnsettled;
        return Status::retry(text.status().text());
    }
    if (!in_time) return Status::retry("the snapshot came too late");
    const auto parsed = Snapshot::parse(text.value());
    const bool wanted =
        copy != nullptr && copy->under_way() && copy->ranges.find_id(job.id).has_value();
    if (!parsed || !wanted) return Status::retry("the range is no longer to be copied");
    auto window = std::make_shared<Window>();
    window->id = job.id;
    window->table = job.table;
    window->snapshot = std::make_shared<const Snapshot>(*parsed);
    window->shape = job.shape;
    window->in_pieces = !job.may_be_cut();
    copy->windows.emplace(job.id, window);
    for (Range& range : copy->ranges.ranges()) {
        if (range.id != job.id) continue;
        range.state = RangeState::open;
        range.snapshot = window->snapshot;
    }
    copy->detail.clear();
    copy->last_error.clear();
    return window;
}

Status Reader::read_rows(const ChunkJob& job, Window& window) {
    auto turn = take_turn(window.id);
    if (turn == nullptr) return Status::retry("stopped");
    auto piece = new_piece(job);
    Lsn end = 0;
    if (auto done = copy_rows(job, window, piece, end); !done.is_ok()) return done;
    if (cut_) {
        source_.drop_rows();  // the rest of the rows is of no use
    } else if (auto done = source_.commit(); !done.is_ok()) {
        return done;
    }
    turn.reset();
    return hand_over(window, piece, true, end);
}

/// One COPY: whatever is not handed over on the way is in `piece` in the end, and all of it was
/// written before `end`.
Status Reader::copy_rows(const ChunkJob& job, Window& window, std::shared_ptr<Piece>& piece,
                         Lsn& end) {
    using Step = source::SourceConnection::CopyStep;
    const auto& shape = *job.shape;
    rows_read_ = bytes_read_ = file_bytes_read_ = 0;
    cut_.reset();
    const auto started = Clock::now();
    LargeValues large(source_, job, copier_.parts_.directory);
    if (auto done = large.begin(); !done.is_ok()) return done;
    if (auto done = source_.start_copy(job); !done.is_ok()) return done;
    const auto flushed = source_.flush_wal();
    if (!flushed.is_ok()) {
        source_.drop_rows();
        return flushed.status();
    }
    end = flushed.value();
    std::string_view data;
    auto step = Step::data;
    while ((step = source_.next_row(data)) == Step::data) {
        if (!piece->add(data, shape.columns.data()))
            return Status::retry("a row of " + shape.quoted + " came in an unknown form");
        if (auto done = large.complete(*piece); !done.is_ok()) return done;
        if (!is_full(job, *piece)) continue;
        if (job.may_be_cut()) {
            const auto places = shape.key->places_in(shape.table);
            auto last = key_of(*places, piece->row(piece->rows() - 1));
            if (!last) return Status::retry("a row without a key");
            cut_ = Bound{std::make_shared<const KeyValues>(std::move(*last)), true};
            break;
        }
        count_read(*piece);
        if (auto done = hand_over(window, piece, false, 0); !done.is_ok()) return done;
        piece = new_piece(job);
        piece->header_is_passed();
    }
    if (step == Step::failed) {
        if (source_.copy_failed_at_a_row()) be_careful(job, true);
        return source_.copy_failure();
    }
    // Of a table without a key the row may be in another reader's part.
    if (job.careful && job.mode == CopyMode::ordered) be_careful(job, false);
    if (auto done = large.end(); !done.is_ok()) return done;
    count_read(*piece);
    seconds_read_ = seconds_since(started);
    return Status::ok();
}

/// Which row it was nobody says. So the chunk is read again, and its values one by one.
void Reader::be_careful(const ChunkJob& job, bool careful) {
    const std::lock_guard lock(copier_.mutex_);
    if (auto* copy = copier_.find(job.table)) copy->careful = careful;
}

std::shared_ptr<Piece> Reader::new_piece(const ChunkJob& job) const {
    auto piece = std::make_shared<Piece>(job.shape->columns.size(), copier_.store_);
    if (job.leaves_out()) piece->expect_left_out();
    return piece;
}

bool Reader::is_full(const ChunkJob& job, const Piece& piece) const {
    const std::size_t chunks = job.mode == CopyMode::ordered ? 2 : 1;
    return piece.rows() != 0 && (piece.bytes() >= chunks * copier_.options_.chunk_bytes ||
                                 piece.file_bytes() >= kChunkFileBytes);
}

void Reader::count_read(const Piece& piece) {
    rows_read_ += piece.rows();
    bytes_read_ += piece.payload_bytes();
    file_bytes_read_ += piece.file_bytes();
}

Status Reader::hand_over(Window& window, std::shared_ptr<const Piece> piece, bool complete,
                         Lsn end) {
    {
        std::unique_lock lock(copier_.mutex_);
        copier_.changed_.wait(lock, [&] {
            return copier_.stopping_ || window.pieces.size() < kPiecesMax ||
                   copier_.find_window(window.id) == nullptr;
        });
        if (copier_.stopping_ || copier_.find_window(window.id) == nullptr)
            return Status::retry("the chunk is no longer wanted");
        window.cut = cut_;
        window.passed_at = end;
        window.complete = complete;
        if (piece->rows() != 0) window.pieces.push_back(std::move(piece));
    }
    copier_.changed_.notify_all();
    copier_.ask_lane();
    return Status::ok();
}

/// The next chunk: as large as the bytes and the time of this one suggest. One with few rows says
/// nothing, unless that is what it was meant to have or what it had room for.
void Reader::adapt(const ChunkJob& job, double seconds) {
    const std::lock_guard lock(copier_.mutex_);
    auto* copy = copier_.find(job.table);
    if (copy == nullptr || !job.keys.empty() || rows_read_ == 0) return;
    const bool telling = rows_read_ >= kChunkRowsMin / 2 || rows_read_ == job.rows ||
                         (cut_ && file_bytes_read_ != 0);
    if (!telling) return;
    const auto rows = static_cast<double>(rows_read_);
    const double values = static_cast<double>(job.shape->columns.size() * sizeof(fanout_value) +
                                              sizeof(fanout_change));
    const double by_bytes = static_cast<double>(copier_.options_.chunk_bytes) /
                            (static_cast<double>(bytes_read_ - file_bytes_read_) / rows + values);
    const double by_file =
        static_cast<double>(kChunkFileBytes) / (static_cast<double>(file_bytes_read_) / rows + 1);
    const double by_time = rows * kChunkSeconds / std::max(seconds, 0.001);
    const auto most = std::max(static_cast<std::uint64_t>(by_file), std::uint64_t{1});
    const auto wanted =
        static_cast<std::uint64_t>(std::min({by_bytes, by_time, std::max(4.0 * rows, 1.0)}));
    copy->chunk_rows = std::min(std::clamp(wanted, kChunkRowsMin, kChunkRowsMax),
                                file_bytes_read_ == 0 ? kChunkRowsMax : most);
}

/// All readers together keep to the limits: each chunk takes up time, whoever read it.
void Reader::slow_down(Clock::time_point begun, std::uint64_t rows, std::uint64_t bytes) {
    Clock::time_point until;
    {
        const std::lock_guard lock(copier_.mutex_);
        const auto& options = copier_.options_;
        double seconds = 0;
        if (options.rows_per_second != 0)
            seconds = static_cast<double>(rows) / static_cast<double>(options.rows_per_second);
        if (options.bytes_per_second != 0)
            seconds = std::max(seconds, static_cast<double>(bytes) /
                                            static_cast<double>(options.bytes_per_second));
        if (seconds == 0) return;
        copier_.free_at_ =
            std::max(copier_.free_at_, begun) +
            std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
        until = copier_.free_at_;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() > 0) pause(left);
}

/// A chunk should not be more than half a second's share. With the mutex.
std::uint64_t Reader::rows_by_rate() const {
    const auto limit = copier_.options_.rows_per_second;
    return limit == 0 ? kChunkRowsMax : std::max(limit / 2, std::uint64_t{1});
}

/// As many as there are workers read at a time; the others have a chunk ready. INVARIANT: whom the
/// lane waits for waits for nobody, for all others may be waiting for the lane. Null: stopped.
std::shared_ptr<void> Reader::take_turn(std::uint64_t window) {
    std::unique_lock lock(copier_.mutex_);
    copier_.changed_.wait(lock, [&] {
        return copier_.stopping_ || copier_.lane_waits_for_ == window ||
               (copier_.reading_ < copier_.options_.workers && copier_.has_room());
    });
    if (copier_.stopping_) return nullptr;
    ++copier_.reading_;
    return {&copier_, [this](void*) {
                {
                    const std::lock_guard held(copier_.mutex_);
                    --copier_.reading_;
                }
                copier_.changed_.notify_all();
            }};
}

/// The range is to be copied again, by anybody.
void Reader::give_back(const ChunkJob& job, const Status& why) {
    if (copier_.stopping_) return;
    {
        const std::lock_guard lock(copier_.mutex_);
        auto* copy = copier_.find(job.table);
        if (copy == nullptr) return;
        if (job.id == 0) copy->planning = false;
        const bool has_part = job.snapshot.empty() || job.blocks;
        if (job.id != 0 && has_part) copy->give_up(job.id);
        ++copy->retries;
        copy->last_error = why.text();
        copy->retry_at = Clock::now() + 200ms;
        copier_.news_ = true;
        log::debug("chunk given back", {{"table", job.name}, {"error", why.text()}});
    }
    copier_.changed_.notify_all();
    copier_.ask_lane();
}

}  // namespace fanout::backfill
