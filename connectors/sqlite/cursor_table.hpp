// The target's own memory of how far it is: one row per subscription and stream in _fanout_cursor,
// changed in the transaction that changes the rows.
//
// Lane's thread; owns one statement. Must never move a cursor whose epoch is not ours.
#pragma once

#include <optional>
#include <string>

#include "fanout/connector/abi.h"
#include "sqlite/database.hpp"

namespace fanout::sqlite_target {

inline constexpr const char* kCursorTable = "_fanout_cursor";

class CursorTable {
  public:
    /// Makes the table if needed, puts our epoch into our row, returns its cursor. Commits.
    fanout_cursor take(Database& database, const fanout_session& session);
    /// Inside the open transaction. FENCED if the row is no longer ours.
    void advance(const fanout_cursor& cursor);
    /// Before the database closes.
    void release() { advance_.reset(); }

  private:
    std::string subscription_, stream_identity_;
    std::int64_t epoch_ = 0;
    std::optional<Statement> advance_;
};

}  // namespace fanout::sqlite_target
