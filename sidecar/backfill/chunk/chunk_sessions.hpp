// The two sessions of a reader at the source, and every statement of a chunk.
//
// `rows` holds the chunk's transaction: it must not run a statement that takes a snapshot before
// the lane stands still. `eyes` does everything else; beside the rows it may have a transaction
// with the same snapshot, for what the rows come without. One thread uses it.
#pragma once

#include <optional>
#include <string>

#include "sidecar/backfill/chunk/chunk_job.hpp"
#include "sidecar/source/source_connection.hpp"

namespace fanout::backfill {

class ChunkSessions {
  public:
    /// `stop_fd`: readable once everything should end.
    ChunkSessions(std::string conninfo, int stop_fd)
        : conninfo_(std::move(conninfo)), stop_fd_(stop_fd) {}

    /// Both, if they are not there. After a failure of the connection: drop() first.
    Status connect();
    void drop();
    /// Only the chunk's: what it still sends is of no use.
    void drop_rows() { rows_.reset(); }

    source::SourceConnection& eyes() { return *eyes_; }

    /// What fails from here on is another try.
    void forget_failure() { sqlstate_.clear(); }
    /// The server refuses what it was asked to read, and will again: not for lack of a connection,
    /// of room or of a lock, and nobody has cancelled it.
    bool failure_lasts() const;
    /// The server takes the job's keys for values of their types. True also if it cannot be asked.
    bool understands_keys(const ChunkJob& job);

    /// Is the slot near the limit of the WAL it may hold?
    Result<bool> short_of_wal(std::uint32_t subscription);
    /// The key so many rows on, by the index alone. Nothing: the range ends before.
    Result<std::optional<Bound>> end_of(const ChunkJob& job);

    /// LOCK takes no snapshot, and keeps TRUNCATE and rewrites out, which no snapshot would.
    Status begin(const TableShape& shape);
    /// Waits until every commit in the WAL can be seen. False: that takes too long.
    Result<bool> settle();
    /// Corruption: commits that nobody can see yet are in the way.
    Result<std::string> settled_snapshot();
    /// Everything the snapshot sees has to survive a crash of the source before a target may have
    /// it. Where that ends.
    Result<Lsn> flush_wal();
    /// The name of the snapshot of the chunk's transaction, which lasts as long as that.
    Result<std::string> export_snapshot();
    /// Begins the chunk's transaction with such a snapshot.
    Status join(const std::string& snapshot);
    /// How many blocks the table has, if its rows can be read by them; else 0.
    Result<std::uint64_t> blocks_of(const ChunkJob& job);
    Status start_copy(const ChunkJob& job);
    /// What start_copy() named was the table that was meant, in its types: nothing of that has been
    /// renamed since its shape was read. Asked after it.
    Status check_names(const TableShape& shape);
    source::SourceConnection::CopyStep next_row(std::string_view& data);
    Status copy_failure();
    /// Not for lack of a connection or of anything else that comes back.
    bool copy_failed_at_a_row() const;
    /// A transaction of `eyes` that sees what the chunk's snapshot does, before its rows are read.
    /// Again: anew, after an error in it.
    Status begin_beside(const TableShape& shape);
    std::optional<source::SqlError> start_copy_beside(const std::string& sql);
    source::SourceConnection::CopyStep next_row_beside(std::string_view& data);
    Status end_beside();
    Status commit();
    /// Without a word: the transaction has read nothing.
    void roll_back();

  private:
    Status command(source::SourceConnection& session, const std::string& sql);
    Status failure(const source::SqlError& error);

    const std::string conninfo_;
    const int stop_fd_;
    std::optional<source::SourceConnection> rows_, eyes_;
    std::string sqlstate_;  // of the last failure
    std::string exported_;  // the name of the chunk's snapshot while `eyes` has it, too
};

/// Not: of the connection, of the server's room, or of what a person does to either.
bool is_of_a_row(const source::SqlError& error);

/// Shown while settled_snapshot() waits.
extern const char* const kUnsettled;

}  // namespace fanout::backfill
