// The part of Reader that keeps its pace: the size of the next chunk, the limits of the rate, and
// how many read at a time.
#include <algorithm>

#include "sidecar/backfill/chunk/reader.hpp"

namespace fanout::backfill {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kChunkSeconds = 0.25;

}  // namespace

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

}  // namespace fanout::backfill
