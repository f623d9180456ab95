// See reader.hpp, and docs/backfill.md for why the steps stand in this order; reader_claims.cpp for
// what a reader takes and gives back, reader_pace.cpp for how much and how fast.
#include "sidecar/backfill/chunk/reader.hpp"

#include "fanout/base/fault_point.hpp"
#include "sidecar/backfill/chunk/large_values.hpp"

namespace fanout::backfill {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kHoldPatience = 5s;
constexpr std::size_t kPiecesMax = 2;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

void Reader::run() {
    while (!copier_.stopping_) {
        auto job = claim();
        if (!job) continue;
        begun_at_ = Clock::now();
        source_.forget_failure();
        const auto done = work(*job);
        if (done.is_ok()) {
            backoff_.reset();
            continue;
        }
        const bool lasts = done.kind() == StatusKind::fatal || source_.failure_lasts();
        if (lasts) begin_anew_if_keys_changed(*job, done);
        give_back(*job, done, lasts);
        if (done.kind() == StatusKind::retry) source_.drop();
        // The table waits by itself then, and others need not.
        if (!lasts) pause(std::chrono::duration_cast<std::chrono::milliseconds>(backoff_.next()));
    }
}

void Reader::pause(std::chrono::milliseconds time) {
    std::unique_lock lock(copier_.mutex_);
    copier_.changed_.wait_for(lock, time, [&] { return copier_.stopping_.load(); });
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
    auto fits = check_shape(job);
    if (fits.is_ok() && !fits.value() && lane_comes(job)) fits = check_shape(job);
    if (!fits.is_ok() || !fits.value()) {
        source_.roll_back();
        return fits.is_ok() ? put_back(job) : fits.status();
    }
    FANOUT_FAULT_HERE("copy.shape_checked");
    auto window = open_window(job);
    if (!window.is_ok()) {
        source_.roll_back();
        return window.status();
    }
    if (job.mode == CopyMode::snapshot) {
        auto done = read_table(job, *window.value());
        if (done.is_ok()) is_read(job);
        return done;
    }
    if (auto done = read_rows(job, *window.value()); !done.is_ok()) return done;
    is_read(job);
    adapt(job, seconds_read_);
    slow_down(start, rows_read_, bytes_read_);
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
    if (copy->failures == 0) copy->last_error.clear();
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
    FANOUT_FAULT_HERE("copy.snapshot_taken");
    if (auto done = large.begin(); !done.is_ok()) return done;
    if (auto done = source_.start_copy(job); !done.is_ok()) return done;
    const auto flushed = source_.flush_wal();
    auto named = flushed.is_ok() ? source_.check_names(shape) : flushed.status();
    if (!named.is_ok()) {
        source_.drop_rows();
        return named;
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
    if (job.leaves_out())  // whose session has seen no more than S until now
        if (auto done = source_.check_names(shape); !done.is_ok()) return done;
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

}  // namespace fanout::backfill
