// One thread that reads: takes a range, a snapshot, the rows, and hands them over.
//
// Two sessions at the source. `rows_` holds the chunk's transaction: it must not run a statement
// that takes a snapshot before the lane stands still. `eyes_` does everything else.
#pragma once

#include <optional>
#include <string>

#include "sidecar/backfill/copier.hpp"
#include "sidecar/pacing/backoff.hpp"

namespace fanout::backfill {

class Reader {
  public:
    Reader(Copier& copier, unsigned number) : copier_(copier), number_(number) {}
    void run();

  private:
    struct Job {
        Oid32 table = 0;
        std::uint64_t id = 0;  // of the range; 0: look at the table only
        std::string schema, name, predicate, filter;
        std::vector<std::string> columns;
        std::map<std::string, std::string> masks;
        CopyMode mode = CopyMode::unknown;
        bool indexes = false;  // look at those only
        std::shared_ptr<const TableShape> shape;
        Bound lower, upper;
        std::uint64_t rows = 0;
    };

    std::optional<Job> claim();
    bool begin(TableCopy& copy, Job& job);
    Status work(Job& job);
    Status connect();
    Status command(source::SourceConnection& session, const std::string& sql);
    bool short_of_wal();
    Status wait_for_wal(const Job& job);
    Status look(const Job& job);
    Status look_at_indexes(const Job& job);
    Status choose_end(Job& job);
    Status open_transaction(const Job& job);
    Status check_shape(Job& job);
    Result<std::shared_ptr<Window>> open_window(const Job& job);
    Result<std::string> settled_snapshot();
    Status read_rows(const Job& job, Window& window);
    Status hand_over(Window& window, std::shared_ptr<const Piece> piece, bool complete, Lsn end);
    Result<Lsn> flush_wal();
    std::string select(const Job& job) const;
    void adapt(const Job& job, std::uint64_t rows, std::uint64_t bytes, double seconds);
    void give_back(const Job& job, const Status& why);
    void slow_down(std::chrono::steady_clock::time_point begun, std::uint64_t rows,
                   std::uint64_t bytes);
    std::uint64_t rows_by_rate() const;
    std::shared_ptr<void> take_turn(std::uint64_t window);
    void pause(std::chrono::milliseconds time);

    Copier& copier_;
    const unsigned number_;
    std::optional<source::SourceConnection> rows_, eyes_;
    pacing::Backoff backoff_{std::chrono::seconds(5)};
    std::uint64_t rows_read_ = 0, bytes_read_ = 0;  // of the last chunk
    double seconds_read_ = 0;
    std::optional<Bound> cut_;
};

}  // namespace fanout::backfill
