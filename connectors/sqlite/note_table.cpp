// Notes change a few times a second at most, so statements are prepared where they are used.
#include "sqlite/note_table.hpp"

namespace fanout::sqlite_target {
namespace {

constexpr const char* kIsThere = "SELECT 1 FROM sqlite_master WHERE name = '_fanout_note'";

constexpr const char* kCreate = R"(
CREATE TABLE IF NOT EXISTS "_fanout_note" (
    subscription TEXT NOT NULL,
    stream_identity TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (subscription, stream_identity, name)))";

constexpr const char* kRead =
    R"(SELECT name, text FROM "_fanout_note" WHERE subscription = ?1 AND stream_identity = ?2)";
constexpr const char* kPut = R"(INSERT OR REPLACE INTO "_fanout_note" VALUES (?1, ?2, ?3, ?4))";
constexpr const char* kRemove = R"(
DELETE FROM "_fanout_note" WHERE subscription = ?1 AND stream_identity = ?2 AND name = ?3)";

}  // namespace

void NoteTable::use(const fanout_session& session) {
    subscription_ = session.subscription;
    stream_identity_ = session.stream_identity;
}

connector::Notes NoteTable::read(Database& database) const {
    connector::Notes notes;
    Statement look(database, kIsThere);
    if (!look.next()) return notes;
    Statement read(database, kRead);
    read.bind_text(1, subscription_);
    read.bind_text(2, stream_identity_);
    while (read.next())
        notes.emplace_back(read.text(0), read.text(1));
    return notes;
}

void NoteTable::put(Database& database, const std::string& name,
                    const std::optional<std::string>& text) const {
    database.execute(kCreate);
    Statement change(database, text ? kPut : kRemove);
    change.bind_text(1, subscription_);
    change.bind_text(2, stream_identity_);
    change.bind_text(3, name);
    if (text) change.bind_text(4, *text);
    change.run();
}

}  // namespace fanout::sqlite_target
