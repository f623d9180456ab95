// One thread that reads: takes a range, a snapshot, the rows, and hands them over.
//
// chunk_sessions.hpp has the statements; here is their order, and what readers and lane tell each
// other.
#pragma once

#include <optional>
#include <string>

#include "sidecar/backfill/chunk/chunk_sessions.hpp"
#include "sidecar/backfill/copier.hpp"
#include "sidecar/pacing/backoff.hpp"

namespace fanout::backfill {

inline constexpr std::uint64_t kChunkRowsMin = 200, kChunkRowsMax = 500'000;
/// Of large values, which are not in memory.
inline constexpr std::uint64_t kChunkFileBytes = 32U << 20;

class Reader {
  public:
    Reader(Copier& copier, unsigned number)
        : copier_(copier), number_(number), source_(copier.parts_.conninfo, copier.stop_fd_.fd()) {}
    void run();

  private:
    std::optional<ChunkJob> claim();
    bool begin(TableCopy& copy, ChunkJob& job);
    bool choose(TableCopy& copy, ChunkJob& job);
    static bool choose_shared(TableCopy& copy, ChunkJob& job);
    Status work(ChunkJob& job);
    bool short_of_wal();
    Status wait_for_wal(const ChunkJob& job);
    Status look(const ChunkJob& job);
    Status look_at_indexes(const ChunkJob& job);
    Status choose_end(ChunkJob& job);
    void begin_anew_if_keys_changed(const ChunkJob& job, const Status& why);
    void read_otherwise(ChunkJob& job, const std::shared_ptr<TableShape>& seen);
    Result<bool> check_shape(ChunkJob& job);
    bool lane_comes(const ChunkJob& job);
    void is_put_back_no_more(const ChunkJob& job);
    Status see_why(ChunkJob& job, const Status& failure);
    Status put_back(const ChunkJob& job);
    Status settle();
    Result<std::shared_ptr<Window>> open_window(const ChunkJob& job);
    Status read_rows(const ChunkJob& job, Window& window);
    Status copy_rows(const ChunkJob& job, Window& window, std::shared_ptr<Piece>& piece, Lsn& end);
    Status read_table(ChunkJob& job, Window& window);
    Status share(const ChunkJob& job, Window& window);
    Status join(ChunkJob& job);
    Status read_parts(ChunkJob& job, Window& window);
    Status hand_over(Window& window, std::shared_ptr<const Piece> piece, bool complete, Lsn end);
    std::shared_ptr<Piece> new_piece(const ChunkJob& job) const;
    void be_careful(const ChunkJob& job, bool careful);
    bool is_full(const ChunkJob& job, const Piece& piece) const;
    void count_read(const Piece& piece);
    void adapt(const ChunkJob& job, double seconds);
    void give_back(const ChunkJob& job, const Status& why, bool lasts);
    void is_read(const ChunkJob& job);
    void slow_down(std::chrono::steady_clock::time_point begun, std::uint64_t rows,
                   std::uint64_t bytes);
    std::uint64_t rows_by_rate() const;
    std::shared_ptr<void> take_turn(std::uint64_t window);
    void pause(std::chrono::milliseconds time);

    Copier& copier_;
    const unsigned number_;
    ChunkSessions source_;
    pacing::Backoff backoff_{std::chrono::seconds(5)};
    std::uint64_t rows_read_ = 0, bytes_read_ = 0, file_bytes_read_ = 0;  // of the last chunk
    double seconds_read_ = 0;
    std::chrono::steady_clock::time_point begun_at_{};  // the job
    std::optional<Bound> cut_;
};

}  // namespace fanout::backfill
