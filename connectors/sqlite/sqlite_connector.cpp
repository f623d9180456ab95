#include "sqlite/sqlite_connector.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "fanout/base/fault_point.hpp"

namespace fanout::sqlite_target {
namespace {

using connector::ConnectorError;

std::string checked_path(const std::string& path) {
    if (path.empty() || path.front() != '/' || path.back() == '/')
        throw ConnectorError(FANOUT_FATAL,
                             "option \"path\" is \"" + path + "\", not the absolute path of a file",
                             "write it from the root, for example /var/lib/pg_fanout/shop.db");
    return path;
}

std::chrono::milliseconds checked_timeout(std::int64_t milliseconds) {
    if (milliseconds < 0 || milliseconds > 3'600'000)
        throw ConnectorError(FANOUT_FATAL,
                             "option \"busy_timeout_ms\" is " + std::to_string(milliseconds) +
                                 ", not between 0 and 3600000",
                             "5000 is a good choice");
    return std::chrono::milliseconds(milliseconds);
}

}  // namespace

SqliteConnector::SqliteConnector(const connector::Options& options, const fanout_host& host)
    : host_(host),
      path_(checked_path(options.text("path"))),
      busy_timeout_(checked_timeout(options.integer("busy_timeout_ms"))),
      database_([this] { return stop_asked(); }) {
    policy_.skip_missing_rows = options.text("missing_rows") == "skip";
    policy_.unrepresentable = kit::read_unrepresentable(options.text("unrepresentable"));
}

bool SqliteConnector::stop_asked() const {
    return interrupted_ || host_.stopping(host_.context) != 0;
}

fanout_cursor SqliteConnector::open(const fanout_session& session) {
    close();
    interrupted_ = false;
    policy_.create_tables = session.create_tables != 0;
    try {
        database_.open(path_, Database::Missing::create, busy_timeout_);
        database_.execute("PRAGMA journal_mode = WAL");
        database_.execute("PRAGMA synchronous = FULL");
        database_.execute("PRAGMA foreign_keys = OFF");             // the source has checked them
        database_.execute("PRAGMA journal_size_limit = 67108864");  // after a large transaction
        note_table_.use(session);
        return cursor_table_.take(database_, session);
    } catch (...) {
        close();
        throw;
    }
}

/// IMMEDIATE: who holds the write lock cannot lose it to another writer before the commit.
void SqliteConnector::begin() {
    if (begun_) {
        if (database_.in_transaction()) return;
        throw ConnectorError(FANOUT_RETRY, "SQLite \"" + path_ + "\" rolled the transaction back");
    }
    database_.execute("BEGIN IMMEDIATE");
    FANOUT_FAULT_HERE("sqlite.begun");
    begun_ = true;
}

void SqliteConnector::write(const fanout_batch& batch) {
    begin();
    for (std::size_t t = 0; t < batch.transaction_count; ++t) {
        const fanout_transaction& transaction = batch.transactions[t];
        if (stop_asked())
            throw ConnectorError(FANOUT_RETRY, "stopped before everything was written");
        for (std::size_t c = 0; c < transaction.change_count; ++c) {
            const fanout_change& change = transaction.changes[c];
            if (c == transaction.change_count / 2) FANOUT_FAULT_HERE("sqlite.half_written");
            if (interrupted_)
                throw ConnectorError(FANOUT_RETRY, "interrupted before everything was written");
            try {
                apply(change);
            } catch (const ConnectorError& e) {
                throw ConnectorError(e.outcome(), e.what(), e.hint(),
                                     {transaction.commit_lsn, change.index});
            }
        }
    }
}

void SqliteConnector::apply(const fanout_change& change) {
    if (change.op == FANOUT_MESSAGE) return;
    if (change.op == FANOUT_DDL) return change_schema(*change.ddl);
    if (change.op == FANOUT_TRUNCATE) {
        for (std::size_t i = 0; i < change.table_count; ++i)
            writer_for(*change.tables[i]).truncate(*change.tables[i]);
        return;
    }
    TableWriter& writer = writer_for(*change.table);
    try {
        if (change.op == FANOUT_INSERT || change.op == FANOUT_READ)
            writer.insert(change);
        else if (change.op == FANOUT_UPDATE)
            writer.update(change);
        else
            writer.erase(change);
    } catch (const ConnectorError& e) {
        const fanout_value* image = change.after != nullptr ? change.after : change.before;
        throw ConnectorError(e.outcome(),
                             "table \"" + target_name(*change.table) + "\", row " +
                                 describe_row(*change.table, row_finder(*change.table), image) +
                                 ": " + e.what(),
                             e.hint());
    }
}

/// The table's statements go, and whatever name it had is free.
void SqliteConnector::change_schema(const fanout_ddl& ddl) {
    writers_.erase(ddl.oid);
    std::erase_if(names_, [&](const auto& claim) {
        return claim.second == std::string(connector::view(ddl.schema)) + "." +
                                   std::string(connector::view(ddl.name));
    });
    schema_.apply(ddl, policy_.create_tables);
}

TableWriter& SqliteConnector::writer_for(const fanout_table& table) {
    auto& writer = writers_[table.oid];
    if (writer == nullptr || writer->version() != table.version) {
        writer.reset();
        claim_name(table);
        writer = std::make_unique<TableWriter>(database_, table, policy_);
    }
    return *writer;
}

/// "public"."a.b" and "a"."b", or names that differ in case only, would share a table.
void SqliteConnector::claim_name(const fanout_table& table) {
    std::string name = target_name(table);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return c < 0x80 ? std::tolower(c) : c; });
    const auto [claim, is_new] = names_.emplace(name, source_name(table));
    const bool ours = name == kCursorTable || name == kNoteTable;
    if (ours || (!is_new && claim->second != source_name(table)))
        throw ConnectorError(FANOUT_FATAL,
                             "table " + source_name(table) + " would be \"" + name +
                                 "\" in SQLite, which is taken by " +
                                 (ours ? "the cursor of pg_fanout" : "table " + claim->second),
                             "rename one of them, or send it to another target");
}

void SqliteConnector::flush(const fanout_cursor& cursor) {
    begin();
    FANOUT_FAULT_HERE("sqlite.rows_written");
    cursor_table_.advance(cursor);
    FANOUT_FAULT_HERE("sqlite.cursor_written");
    database_.execute("COMMIT");
    FANOUT_FAULT_HERE("sqlite.committed");
    begun_ = false;
}

void SqliteConnector::put_note(const std::string& name, const std::optional<std::string>& text) {
    begin();
    note_table_.put(database_, name, text);
}

connector::Notes SqliteConnector::read_notes() {
    return note_table_.read(database_);
}

void SqliteConnector::prepare_table(const fanout_table& table, bool must_be_empty) {
    begin();
    if (writer_for(table).impossible()) return;
    Statement look(database_, any_row_text(table));
    if (!must_be_empty || !look.next()) return;
    throw ConnectorError(FANOUT_FATAL,
                         "table \"" + target_name(table) +
                             "\" of the target has rows already, and the subscription copies the "
                             "source's into it",
                         "empty it, or set \"on_nonempty\" to \"truncate\" or \"upsert\" in the "
                         "subscription's options");
}

void SqliteConnector::close() noexcept {
    writers_.clear();
    names_.clear();
    cursor_table_.release();
    database_.close();
    begun_ = false;
}

void SqliteConnector::interrupt() noexcept {
    interrupted_ = true;
    database_.interrupt();
}

void SqliteConnector::test() {
    const std::filesystem::path path(path_);
    std::error_code unreachable;
    if (std::filesystem::exists(path, unreachable)) {
        Database probe([this] { return stop_asked(); });
        probe.open(path_, Database::Missing::refuse, busy_timeout_);
        probe.execute("PRAGMA schema_version");
        if (::access(path_.c_str(), W_OK) == 0) return;
    } else if (::access(path.parent_path().c_str(), W_OK | X_OK) == 0) {
        return;
    }
    throw ConnectorError(FANOUT_FATAL, "cannot write \"" + path_ + "\": " + std::strerror(errno),
                         "the directory must exist, and it and the file must be writable for the "
                         "user of fanoutd");
}

}  // namespace fanout::sqlite_target
