// See chunk_sessions.hpp; reader.cpp for the order of the steps.
#include "sidecar/backfill/chunk/chunk_sessions.hpp"

#include <algorithm>
#include <cstdlib>

#include "fanout/base/lsn_text.hpp"

namespace fanout::backfill {

const char* const kUnsettled =
    "waiting for transactions that are committed but not yet visible (synchronous standby?)";

namespace {

using namespace std::chrono_literals;

constexpr auto kAnswerTimeout = 60s;
constexpr auto kSnapshotTimeout = 5s;
constexpr std::string_view kDataException = "22";

/// As the decoding worker pins them, so that values are the stream's; then what keeps a chunk
/// small.
constexpr const char* kSetUp = R"(
SELECT set_config(s.name, s.value, false) FROM (VALUES
    ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'),
    ('extra_float_digits', '1'), ('bytea_output', 'hex'), ('xmlbinary', 'base64'),
    ('search_path', 'pg_catalog'), ('lc_monetary', 'C'), ('quote_all_identifiers', 'off'),
    ('standard_conforming_strings', 'on'), ('row_security', 'off'), ('lock_timeout', '3s'),
    ('enable_seqscan', 'off'), ('jit', 'off'), ('max_parallel_workers_per_gather', '0'),
    ('plan_cache_mode', 'force_generic_plan'), ('statement_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'),
    ('client_encoding', CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII'
        ELSE 'UTF8' END)) AS s (name, value))";

/// Less than a fifth of what max_slot_wal_keep_size lets the slot hold is left. Null: no limit.
constexpr const char* kShortOfWal = R"(
SELECT r.safe_wal_size * 5 < pg_size_bytes(current_setting('max_slot_wal_keep_size'))
FROM fanout.subscription_def d JOIN fanout.stream_def t ON t.id = d.stream_id
JOIN pg_replication_slots r ON r.slot_name = t.slot_name
WHERE d.id = $1::integer)";

/// Before version 14 the server reads a whole table to find the rows of some blocks; and the rows
/// of a partitioned table are in none of its own.
constexpr const char* kBlocks = R"(
SELECT CASE WHEN current_setting('server_version_num')::integer < 140000 OR c.relkind = 'p' THEN 0
    ELSE pg_relation_size(c.oid) / current_setting('block_size')::bigint END
FROM pg_class c WHERE c.oid = $1::oid)";

std::string where(const std::vector<std::string>& conditions) {
    std::string out;
    for (const auto& condition : conditions)
        if (!condition.empty()) out += (out.empty() ? " WHERE " : " AND ") + condition;
    return out;
}

/// The range, or the single keys.
std::vector<std::string> key_conditions(const ChunkJob& job) {
    const KeyShape& key = *job.shape->key;
    if (!job.keys.empty()) return {key.is_one_of(job.keys)};
    return {key.condition(job.lower, true), key.condition(job.upper, false)};
}

/// Whose next attempt may fare otherwise: the connection's, the server's, another session's.
bool passes(std::string_view sqlstate) {
    static constexpr std::string_view kPassing[] = {"08", "25", "26", "28", "3D",
                                                    "40", "53", "55", "57", "58"};
    return sqlstate.size() != 5 || sqlstate.starts_with("XX") ||
           std::ranges::find(kPassing, sqlstate.substr(0, 2)) != std::end(kPassing);
}

std::string select(const ChunkJob& job) {
    const auto enclosed = [](const std::string& sql) { return sql.empty() ? "" : "(" + sql + ")"; };
    std::vector<std::string> conditions{enclosed(job.predicate), enclosed(job.filter)};
    std::string order;
    if (job.mode == CopyMode::ordered) {
        std::ranges::move(key_conditions(job), std::back_inserter(conditions));
        order = job.shape->key->order_by(job.shape->quoted);
    }
    if (job.blocks && (job.blocks->first != 0 || job.blocks->end != 0)) {
        const auto at = [](std::uint64_t block) {
            return "'(" + std::to_string(block) + ",0)'::pg_catalog.tid";
        };
        conditions.push_back("ctid >= " + at(job.blocks->first));
        if (job.blocks->end != 0) conditions.push_back("ctid < " + at(job.blocks->end));
    }
    return "COPY (SELECT " + (job.careful ? job.shape->careful_list : job.shape->select_list) +
           " FROM " + job.shape->rows_of + where(conditions) + order +
           ") TO STDOUT (FORMAT binary)";
}

}  // namespace

bool is_of_a_row(const source::SqlError& error) {
    if (error.sqlstate.size() != 5 || error.sqlstate == "XX001" || error.sqlstate == "XX002")
        return false;
    static constexpr std::string_view kOthers[] = {"08", "25", "26", "28", "3D", "3F",
                                                   "40", "42", "53", "55", "57", "58"};
    return std::ranges::find(kOthers, std::string_view(error.sqlstate).substr(0, 2)) ==
           std::end(kOthers);
}

Status ChunkSessions::connect() {
    for (std::optional<source::SourceConnection>* session : {&rows_, &eyes_}) {
        if (*session) continue;
        auto made = source::SourceConnection::connect(conninfo_, stop_fd_);
        if (!made.is_ok()) return made.status();
        session->emplace(std::move(made.value()));
        if (auto done = command(**session, kSetUp); !done.is_ok()) return done;
    }
    return Status::ok();
}

void ChunkSessions::drop() {
    rows_.reset();
    eyes_.reset();
    exported_.clear();
}

Status ChunkSessions::failure(const source::SqlError& error) {
    sqlstate_ = error.sqlstate;
    return Status::retry(error.message + (error.hint.empty() ? "" : "; " + error.hint));
}

bool ChunkSessions::failure_lasts() const {
    return !passes(sqlstate_);
}

bool ChunkSessions::understands_keys(const ChunkJob& job) {
    if (job.mode != CopyMode::ordered || !eyes_ || !job.shape || !job.shape->key) return true;
    // An error may have ended a transaction of it.
    static_cast<void>(eyes_->query("ROLLBACK", {}, kSnapshotTimeout));
    const auto asked =
        eyes_->query("SELECT FROM " + job.shape->rows_of + where(key_conditions(job)) + " LIMIT 0",
                     {}, kSnapshotTimeout);
    return asked.ok() || !asked.error->sqlstate.starts_with(kDataException);
}

Status ChunkSessions::command(source::SourceConnection& session, const std::string& sql) {
    const auto result = session.query(sql, {}, kAnswerTimeout);
    return result.ok() ? Status::ok() : failure(*result.error);
}

Result<bool> ChunkSessions::short_of_wal(std::uint32_t subscription) {
    const auto result =
        eyes_->query_prepared("short_of_wal", kShortOfWal, {std::to_string(subscription)});
    if (!result.ok()) return failure(*result.error);
    return !result.rows.empty() && result.rows[0][0] == "t";
}

Result<std::optional<Bound>> ChunkSessions::end_of(const ChunkJob& job) {
    const KeyShape& key = *job.shape->key;
    const std::string sql = "SELECT " + key.select_list() + " FROM " + job.shape->rows_of +
                            where(key_conditions(job)) + key.order_by(job.shape->quoted) +
                            " OFFSET " + std::to_string(job.rows - 1) + " LIMIT 1";
    const auto result = eyes_->query(sql, {}, kAnswerTimeout, true);
    if (!result.ok()) return failure(*result.error);
    if (result.rows.empty()) return std::optional<Bound>();
    KeyValues values;
    for (std::size_t i = 0; i < key.kinds.size(); ++i) {
        const auto& shape = *job.shape;
        const auto column = std::ranges::find_if(shape.columns, [&](const fanout_column& c) {
            return key.columns[i] == std::string_view(c.name.data, c.name.size);
        });
        const auto& field = result.rows[0][i];
        std::string stored;
        if (column == shape.columns.end() || !field || !stored_form(*column, *field, stored))
            return Status::retry("a key of " + job.shape->quoted + " came in an unknown form");
        values.push_back(std::move(stored));
    }
    return std::optional(Bound{std::make_shared<const KeyValues>(std::move(values)), true});
}

Status ChunkSessions::begin(const TableShape& shape) {
    const auto error =
        rows_->execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE " +
                           shape.rows_of + " IN ACCESS SHARE MODE",
                       kAnswerTimeout);
    return error ? failure(*error) : Status::ok();
}

Result<bool> ChunkSessions::settle() {
    const auto settled = eyes_->query("SELECT fanout._settle(50)", {}, kSnapshotTimeout);
    if (!settled.ok()) return failure(*settled.error);
    return !settled.rows.empty() && settled.rows[0][0] == "t";
}

Result<std::string> ChunkSessions::settled_snapshot() {
    const auto settled = settle();
    if (!settled.is_ok()) return settled.status();
    if (!settled.value()) return Status::corruption(kUnsettled);
    const auto taken =
        rows_->query("SELECT pg_catalog.pg_current_snapshot()::text", {}, kSnapshotTimeout);
    if (!taken.ok()) return failure(*taken.error);
    if (taken.rows.empty() || !taken.rows[0][0]) return Status::retry("no snapshot");
    return *taken.rows[0][0];
}

/// Everything the snapshot sees has to survive a crash of the source before a target may have it.
Result<Lsn> ChunkSessions::flush_wal() {
    const auto flushed = eyes_->query("SELECT fanout._flush_wal()", {}, kAnswerTimeout);
    if (!flushed.ok()) return failure(*flushed.error);
    const auto lsn =
        flushed.rows.empty() || !flushed.rows[0][0] ? std::nullopt : parse_lsn(*flushed.rows[0][0]);
    if (!lsn) return Status::retry("fanout._flush_wal() did not answer");
    return *lsn;
}

Result<std::string> ChunkSessions::export_snapshot() {
    const auto named = rows_->query("SELECT pg_catalog.pg_export_snapshot()", {}, kSnapshotTimeout);
    if (!named.ok()) return failure(*named.error);
    if (named.rows.empty() || !named.rows[0][0]) return Status::retry("no snapshot");
    return *named.rows[0][0];
}

Status ChunkSessions::join(const std::string& snapshot) {
    const auto error = rows_->execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '" + snapshot +
            "'",
        kAnswerTimeout);
    return error ? failure(*error) : Status::ok();
}

Result<std::uint64_t> ChunkSessions::blocks_of(const ChunkJob& job) {
    const auto result = eyes_->query_prepared("blocks", kBlocks, {std::to_string(job.table)});
    if (!result.ok()) return failure(*result.error);
    if (result.rows.empty() || !result.rows[0][0]) return Status::retry("the table was dropped");
    return std::strtoull(result.rows[0][0]->c_str(), nullptr, 10);
}

Status ChunkSessions::start_copy(const ChunkJob& job) {
    const auto error = rows_->start_copy(select(job), kAnswerTimeout);
    return error ? failure(*error) : Status::ok();
}

Status ChunkSessions::check_names(const TableShape& shape) {
    const auto names = read_names(*eyes_, shape.table.oid);
    if (!names.is_ok() || names.value() == shape.names) return names.status();
    return Status::retry("the schema of " + shape.quoted + " or a type was renamed meanwhile");
}

source::SourceConnection::CopyStep ChunkSessions::next_row(std::string_view& data) {
    return rows_->next_copy_data(data, kAnswerTimeout);
}

Status ChunkSessions::copy_failure() {
    return failure(rows_->copy_error());
}

bool ChunkSessions::copy_failed_at_a_row() const {
    return is_of_a_row(rows_->copy_error());
}

/// Also LOCK: whoever waits to change the table must not come in between later.
Status ChunkSessions::begin_beside(const TableShape& shape) {
    if (exported_.empty()) {
        auto made = export_snapshot();
        if (!made.is_ok()) return made.status();
        exported_ = std::move(made.value());
    } else if (auto done = command(*eyes_, "ROLLBACK"); !done.is_ok()) {
        return done;
    }
    const auto error = eyes_->execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
        "SET TRANSACTION SNAPSHOT '" +
            exported_ + "'; LOCK TABLE " + shape.rows_of + " IN ACCESS SHARE MODE",
        kAnswerTimeout);
    return error ? failure(*error) : Status::ok();
}

std::optional<source::SqlError> ChunkSessions::start_copy_beside(const std::string& sql) {
    return eyes_->start_copy(sql, kAnswerTimeout);
}

source::SourceConnection::CopyStep ChunkSessions::next_row_beside(std::string_view& data) {
    return eyes_->next_copy_data(data, kAnswerTimeout);
}

Status ChunkSessions::end_beside() {
    exported_.clear();
    return command(*eyes_, "COMMIT");
}

Status ChunkSessions::commit() {
    return command(*rows_, "COMMIT");
}

void ChunkSessions::roll_back() {
    static_cast<void>(command(*rows_, "ROLLBACK"));
}

}  // namespace fanout::backfill
