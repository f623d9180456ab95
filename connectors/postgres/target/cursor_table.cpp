// Creation is serialised by an advisory lock: IF NOT EXISTS alone races between lanes.
#include "postgres/target/cursor_table.hpp"

#include <cstdlib>

#include "_kit/date_time_text.hpp"
#include "_kit/stored_types.hpp"
#include "fanout/base/lsn_text.hpp"

namespace fanout::postgres {
namespace {

constexpr const char* kIsThere = R"(
SELECT EXISTS (SELECT FROM pg_attribute
               WHERE attrelid = to_regclass('fanout_state.fanout_cursor') AND attname = 'group_number')
    AND to_regclass('fanout_state.fanout_note') IS NOT NULL
    AND to_regclass('fanout_state.fanout_own_table') IS NOT NULL)";

constexpr const char* kCreate = R"(
BEGIN;
SELECT pg_advisory_xact_lock(7236283114);
CREATE SCHEMA IF NOT EXISTS fanout_state;
CREATE TABLE IF NOT EXISTS fanout_state.fanout_cursor (
    subscription text NOT NULL,
    stream_identity text NOT NULL,
    epoch bigint NOT NULL,
    commit_lsn pg_lsn NOT NULL,
    end_lsn pg_lsn NOT NULL,
    commit_time timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (subscription, stream_identity)
) WITH (fillfactor = 50);
ALTER TABLE fanout_state.fanout_cursor ADD COLUMN IF NOT EXISTS opened bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS group_number bigint NOT NULL DEFAULT 0;
COMMENT ON TABLE fanout_state.fanout_cursor IS
    'pg_fanout: how far each subscription is; changed together with the rows it stands for';
CREATE TABLE IF NOT EXISTS fanout_state.fanout_note (
    subscription text NOT NULL,
    stream_identity text NOT NULL,
    name text NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (subscription, stream_identity, name)
) WITH (fillfactor = 50);
COMMENT ON TABLE fanout_state.fanout_note IS
    'pg_fanout: how far the copying of each table is; changed together with the rows';
CREATE TABLE IF NOT EXISTS fanout_state.fanout_own_table (table_oid oid PRIMARY KEY);
COMMENT ON TABLE fanout_state.fanout_own_table IS
    'pg_fanout: the tables that create_tables has made; indexes are only made for those';
COMMIT)";

// An older epoch lets us in; a newer one leaves the row alone and returns nothing. `opened` keeps
// out what an earlier connection of ours has sent and the server has not come to: it may be cut off
// from us and still be at work.
constexpr const char* kTakeFence = R"(
INSERT INTO fanout_state.fanout_cursor AS c
    (subscription, stream_identity, epoch, opened, commit_lsn, end_lsn, commit_time, updated_at)
VALUES ($1, $2, $3::bigint, 1, '0/0', '0/0', NULL, now())
ON CONFLICT (subscription, stream_identity) DO UPDATE
    SET epoch = EXCLUDED.epoch, opened = c.opened + 1, group_number = 0,
        updated_at = EXCLUDED.updated_at
    WHERE c.epoch <= EXCLUDED.epoch
RETURNING commit_lsn, end_lsn,
    coalesce(((extract(epoch FROM commit_time) - 946684800) * 1000000)::bigint, 0), opened)";

// COMMIT is already on its way when the number of rows comes back, so the statement itself has to
// fail if there was none: by dividing by it. It moves the row only from where the group before has
// left it: if that failed, nothing stops the server from beginning with this one. The position does
// not tell them apart, because groups of copied rows share one: their number does.
constexpr const char* kAdvance = R"(
WITH moved AS (
    UPDATE fanout_state.fanout_cursor
    SET commit_lsn = $4, end_lsn = $5, commit_time = $6, group_number = $10 + 1,
        updated_at = clock_timestamp()
    WHERE subscription = $1 AND stream_identity = $2 AND epoch = $3
        AND opened = $7 AND commit_lsn = $8 AND end_lsn = $9 AND group_number = $10
    RETURNING 1)
SELECT 1 / count(*), pg_current_wal_insert_lsn(),
    CASE WHEN current_setting('synchronous_standby_names') = ''
         THEN pg_current_wal_flush_lsn() ELSE '0/0' END
FROM moved)";
constexpr const char* kPositions = R"(
SELECT pg_current_wal_insert_lsn(),
    CASE WHEN current_setting('synchronous_standby_names') = ''
         THEN pg_current_wal_flush_lsn() ELSE '0/0' END)";
constexpr const char* kReadNotes = R"(
SELECT name, note FROM fanout_state.fanout_note
WHERE subscription = $1 AND stream_identity = $2)";
constexpr const char* kPutNote = R"(
INSERT INTO fanout_state.fanout_note (subscription, stream_identity, name, note)
VALUES ($1, $2, $3, $4)
ON CONFLICT (subscription, stream_identity, name) DO UPDATE SET note = EXCLUDED.note)";
constexpr const char* kRemoveNote = R"(
DELETE FROM fanout_state.fanout_note
WHERE subscription = $1 AND stream_identity = $2 AND name = $3)";

constexpr std::string_view kDivisionByZero = "22012";
constexpr Oid kLsn = 3220;  // pg_lsn

Lsn read_lsn(const char* text) {
    const auto lsn = parse_lsn(text);
    if (!lsn)
        throw connector::ConnectorError(
            FANOUT_FATAL, std::string("fanout_state.fanout_cursor holds a bad position: ") + text);
    return *lsn;
}

}  // namespace

void CursorTable::create_if_missing(Session& link) {
    const char* const doing = "cannot look for fanout_state.fanout_cursor in the target";
    const ResultPtr there = link.query(kIsThere, {}, doing);
    if (PQgetvalue(there.get(), 0, 0)[0] == 't') return;
    link.execute(kCreate, "cannot create fanout_state.fanout_cursor in the target");
}

fanout_cursor CursorTable::take_fence(Session& link, const fanout_session& owner) {
    subscription_ = owner.subscription;
    stream_identity_ = owner.stream_identity;
    epoch_ = std::to_string(owner.epoch);
    create_if_missing(link);
    const ResultPtr row = link.query(kTakeFence, {subscription_, stream_identity_, epoch_},
                                     "cannot read the cursor in the target");
    if (PQntuples(row.get()) != 1) throw_fenced();
    opened_ = PQgetvalue(row.get(), 0, 3);
    return {read_lsn(PQgetvalue(row.get(), 0, 0)), read_lsn(PQgetvalue(row.get(), 0, 1)),
            std::strtoll(PQgetvalue(row.get(), 0, 2), nullptr, 10)};
}

// Types that the columns have: a cast from text in each row's condition costs more than the row.
Statement CursorTable::advance_statement() {
    using namespace kit::type_oid;
    return {kAdvance,
            {kText, kText, kInt8, kLsn, kLsn, kTimestamptz, kInt8, kLsn, kLsn, kInt8},
            {},
            false};
}

const char* CursorTable::positions_sql() {
    return kPositions;
}

const char* CursorTable::put_note_sql() {
    return kPutNote;
}

const char* CursorTable::remove_note_sql() {
    return kRemoveNote;
}

std::vector<TextParameter> CursorTable::note_parameters(
    const std::string& name, const std::optional<std::string>& text) const {
    std::vector<TextParameter> parameters{subscription_, stream_identity_, name};
    if (text) parameters.emplace_back(*text);
    return parameters;
}

std::vector<std::pair<std::string, std::string>> CursorTable::read_notes(Session& link) const {
    const ResultPtr rows = link.query(kReadNotes, {subscription_, stream_identity_},
                                      "cannot read the progress of copying in the target");
    std::vector<std::pair<std::string, std::string>> notes;
    for (int i = 0; i < PQntuples(rows.get()); ++i)
        notes.emplace_back(PQgetvalue(rows.get(), i, 0), PQgetvalue(rows.get(), i, 1));
    return notes;
}

bool CursorTable::is_fenced(const SqlError& error) {
    return error.sqlstate == kDivisionByZero;
}

std::vector<TextParameter> CursorTable::advance_parameters(const fanout_cursor& cursor,
                                                           const CursorPlace& previous) const {
    std::string time;
    kit::append_timestamptz(time, cursor.commit_time);
    return {subscription_,
            stream_identity_,
            epoch_,
            lsn_text(cursor.commit_lsn),
            lsn_text(cursor.end_lsn),
            time,
            opened_,
            lsn_text(previous.cursor.commit_lsn),
            lsn_text(previous.cursor.end_lsn),
            std::to_string(previous.groups)};
}

void CursorTable::throw_fenced() const {
    throw connector::ConnectorError(
        FANOUT_FENCED,
        "subscription \"" + subscription_ +
            "\" is written to this target by a newer fanoutd (its "
            "epoch is above " +
            epoch_ + ")",
        "Nothing to do if fanoutd was moved or restarted on purpose; stop this one.");
}

}  // namespace fanout::postgres
