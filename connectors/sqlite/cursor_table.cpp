#include "sqlite/cursor_table.hpp"

#include "fanout/base/ids.hpp"
#include "fanout/base/lsn_text.hpp"
#include "fanout/connector/connector.hpp"

namespace fanout::sqlite_target {
namespace {

using connector::ConnectorError;

constexpr std::int64_t kEpochOffsetMicros = kPgEpochOffsetSeconds * 1'000'000;

constexpr const char* kCreate = R"(
CREATE TABLE IF NOT EXISTS "_fanout_cursor" (
    subscription TEXT NOT NULL,
    stream_identity TEXT NOT NULL,
    epoch INTEGER NOT NULL,        -- an older writer is refused
    commit_lsn TEXT NOT NULL,      -- every transaction up to this one is in the database
    end_lsn TEXT NOT NULL,
    commit_time INTEGER NOT NULL,  -- microseconds since 1970-01-01 UTC
    updated_at TEXT NOT NULL,
    PRIMARY KEY (subscription, stream_identity)))";

constexpr const char* kRead = R"(
SELECT epoch, commit_lsn, end_lsn, commit_time FROM "_fanout_cursor"
WHERE subscription = ?1 AND stream_identity = ?2)";

constexpr const char* kTake = R"(
INSERT INTO "_fanout_cursor" VALUES (?1, ?2, ?3, '0/0', '0/0', ?4, datetime('now'))
ON CONFLICT (subscription, stream_identity) DO UPDATE SET epoch = excluded.epoch)";

constexpr const char* kAdvance = R"(
UPDATE "_fanout_cursor"
SET commit_lsn = ?4, end_lsn = ?5, commit_time = ?6, updated_at = datetime('now')
WHERE subscription = ?1 AND stream_identity = ?2 AND epoch = ?3)";

Lsn stored_lsn(const std::string& text) {
    const auto lsn = parse_lsn(text);
    if (!lsn)
        throw ConnectorError(FANOUT_FATAL,
                             "table _fanout_cursor holds \"" + text + "\", not a log position",
                             "restore the database, or drop the table and fill the target anew");
    return *lsn;
}

}  // namespace

fanout_cursor CursorTable::take(Database& database, const fanout_session& session) {
    subscription_ = session.subscription;
    stream_identity_ = session.stream_identity;
    epoch_ = static_cast<std::int64_t>(session.epoch);

    database.execute("BEGIN IMMEDIATE");
    database.execute(kCreate);
    fanout_cursor cursor{};
    Statement read(database, kRead);
    read.bind_text(1, subscription_);
    read.bind_text(2, stream_identity_);
    if (read.next()) {
        if (const std::int64_t found = read.integer(0); found > epoch_)
            throw ConnectorError(FANOUT_FENCED, "the target belongs to a newer fanoutd (epoch " +
                                                    std::to_string(found) + ", ours is " +
                                                    std::to_string(epoch_) + ")");
        cursor.commit_lsn = stored_lsn(read.text(1));
        cursor.end_lsn = stored_lsn(read.text(2));
        cursor.commit_time = read.integer(3) - kEpochOffsetMicros;
    }
    read.reset();

    Statement take(database, kTake);
    take.bind_text(1, subscription_);
    take.bind_text(2, stream_identity_);
    take.bind_integer(3, epoch_);
    take.bind_integer(4, kEpochOffsetMicros);
    take.run();
    database.execute("COMMIT");
    advance_.emplace(database, kAdvance);
    return cursor;
}

void CursorTable::advance(const fanout_cursor& cursor) {
    advance_->bind_text(1, subscription_);
    advance_->bind_text(2, stream_identity_);
    advance_->bind_integer(3, epoch_);
    advance_->bind_text_copy(4, lsn_text(cursor.commit_lsn));
    advance_->bind_text_copy(5, lsn_text(cursor.end_lsn));
    advance_->bind_integer(6, cursor.commit_time + kEpochOffsetMicros);
    if (advance_->run() == 1) return;
    throw ConnectorError(FANOUT_FENCED,
                         "the target's cursor row is no longer ours: a newer "
                         "fanoutd took it (our epoch is " +
                             std::to_string(epoch_) + ")");
}

}  // namespace fanout::sqlite_target
