// The progress of copying tables, as fanoutd told it: named texts in _fanout_note, changed in the
// transaction that changes the rows.
//
// Lane's thread. The table is made with the first note.
#pragma once

#include <optional>
#include <string>

#include "fanout/connector/connector.hpp"
#include "sqlite/database.hpp"

namespace fanout::sqlite_target {

inline constexpr const char* kNoteTable = "_fanout_note";

class NoteTable {
  public:
    void use(const fanout_session& session);
    connector::Notes read(Database& database) const;
    /// Inside the open transaction.
    void put(Database& database, const std::string& name,
             const std::optional<std::string>& text) const;

  private:
    std::string subscription_, stream_identity_;
};

}  // namespace fanout::sqlite_target
