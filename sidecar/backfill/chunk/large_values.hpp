// Reads the values that a chunk's rows came without, each by itself and in pieces, into the file of
// the rows' Piece.
//
// By the chunk's other session, in a transaction that has the chunk's snapshot: while the rows are
// still coming, and exactly as they are. A row is found by its place, which cannot change as long
// as that snapshot is held. A value that the source cannot show makes its row a refused one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/backfill/chunk/chunk_sessions.hpp"

namespace fanout::backfill {

class LargeValues {
  public:
    /// `directory`: where large values stand meanwhile.
    LargeValues(ChunkSessions& source, const ChunkJob& job, std::string directory)
        : source_(source), job_(job), directory_(std::move(directory)) {}

    /// Before the chunk's rows are read; nothing if they come with all their values.
    Status begin();
    /// Whatever the piece's rows lack so far.
    Status complete(Piece& piece);
    /// Behind the last row.
    Status end();

  private:
    struct Place {
        std::string row;  // a condition
        std::vector<std::size_t> columns;
    };
    Result<Place> place_of(const std::string& what) const;
    Status complete_row(Piece& piece, std::size_t row, const Place& place);
    Status find(const Place& place);
    Status read_value(const std::string& sql, Piece& piece);
    Status keep(std::string_view bytes, Piece& piece);
    Status put(Piece& piece, std::size_t row, std::size_t column);
    Result<std::string> name_of(const Place& place);

    ChunkSessions& source_;
    const ChunkJob& job_;
    const std::string directory_;
    // Of the value at hand.
    source::SqlError error_;  // why it cannot be read, if the source has said so
    bool is_null_ = true;
    std::string first_;          // its first piece, which may be all of it
    ValueFile* file_ = nullptr;  // of what is longer than that
};

}  // namespace fanout::backfill
