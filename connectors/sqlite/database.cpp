#include "sqlite/database.hpp"

#include <sqlite3.h>

#include <cstring>
#include <thread>
#include <utility>

#include "fanout/connector/connector.hpp"

namespace fanout::sqlite_target {
namespace {

using connector::ConnectorError;

constexpr auto kLockPoll = std::chrono::milliseconds(5);

struct Rule {
    int primary_code;
    fanout_outcome outcome;
    const char* hint;
};

constexpr Rule kRules[] = {
    {SQLITE_BUSY, FANOUT_RETRY,
     "another program or subscription writes the file; raise busy_timeout_ms if it does so for "
     "long"},
    {SQLITE_LOCKED, FANOUT_RETRY, ""},
    {SQLITE_INTERRUPT, FANOUT_RETRY, ""},
    {SQLITE_FULL, FANOUT_RETRY, "the disk is full: free space on it; nothing is lost meanwhile"},
    {SQLITE_IOERR, FANOUT_RETRY, "the disk reported an error: look at the kernel log"},
    {SQLITE_NOMEM, FANOUT_RETRY, ""},
    {SQLITE_SCHEMA, FANOUT_RETRY, ""},
    {SQLITE_CANTOPEN, FANOUT_FATAL,
     "the directory must exist and be writable for the user of fanoutd"},
    {SQLITE_NOTADB, FANOUT_FATAL, "the file is not a SQLite database: name another path"},
    {SQLITE_CORRUPT, FANOUT_FATAL,
     "the database file is damaged: restore it (its cursor comes with it) or move it away"},
    {SQLITE_READONLY, FANOUT_FATAL, "give the user of fanoutd the right to write the file"},
    {SQLITE_PERM, FANOUT_FATAL, "give the user of fanoutd the right to write the file"},
    {SQLITE_CONSTRAINT, FANOUT_FATAL,
     "the target already has a row in the way, or a constraint the source does not have; mend "
     "the row or drop the constraint, then resume the subscription"},
    {SQLITE_MISMATCH, FANOUT_FATAL,
     "a column of the target takes integers only: change its type in the target"},
    {SQLITE_TOOBIG, FANOUT_REJECT, "SQLite holds values of up to 1 GB"},
};

}  // namespace

Statement::Statement(Database& database, const std::string& sql) : database_(&database) {
    const int code =
        sqlite3_prepare_v3(database.handle_, sql.c_str(), static_cast<int>(sql.size()) + 1,
                           SQLITE_PREPARE_PERSISTENT, &handle_, nullptr);
    if (code != SQLITE_OK) database.fail(code);
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(handle_, other.handle_);
    return *this;
}

Statement::~Statement() {
    sqlite3_finalize(handle_);
}

void Statement::check(int code) const {
    if (code != SQLITE_OK) database_->fail(code);
}

void Statement::bind_null(int at) {
    check(sqlite3_bind_null(handle_, at));
}

void Statement::bind_integer(int at, std::int64_t value) {
    check(sqlite3_bind_int64(handle_, at, value));
}

void Statement::bind_real(int at, double value) {
    check(sqlite3_bind_double(handle_, at, value));
}

void Statement::bind_text(int at, std::string_view text) {
    check(sqlite3_bind_text64(handle_, at, text.data() != nullptr ? text.data() : "", text.size(),
                              SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bind_text_copy(int at, std::string_view text) {
    check(
        sqlite3_bind_text64(handle_, at, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::bind_blob(int at, std::string_view bytes) {
    // A null pointer would be the NULL value, not the empty one.
    check(sqlite3_bind_blob64(handle_, at, bytes.data() != nullptr ? bytes.data() : "",
                              bytes.size(), SQLITE_STATIC));
}

std::int64_t Statement::run() {
    int code;
    while ((code = sqlite3_step(handle_)) == SQLITE_ROW) {
    }
    if (code != SQLITE_DONE) {
        reset();
        database_->fail(code);
    }
    const std::int64_t changed = sqlite3_changes(database_->handle_);
    reset();
    return changed;
}

bool Statement::next() {
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) {
        reset();
        database_->fail(code);
    }
    return false;
}

std::string Statement::text(int column) const {
    const auto* bytes = sqlite3_column_text(handle_, column);
    if (bytes == nullptr) return {};
    return {reinterpret_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(handle_, column);
}

void Statement::reset() noexcept {
    sqlite3_reset(handle_);
}

void Database::open(const std::string& path, Missing missing,
                    std::chrono::milliseconds busy_timeout) {
    close();
    path_ = path;
    busy_timeout_ = busy_timeout;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (missing == Missing::create) flags |= SQLITE_OPEN_CREATE;
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    {
        const std::lock_guard<std::mutex> guard(handle_lock_);
        handle_ = handle;
    }
    if (code != SQLITE_OK) fail(code);
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_handler(handle_, &Database::wait_for_lock, this);
    // Without these a name that does not exist is read as a text constant.
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
}

void Database::close() noexcept {
    const std::lock_guard<std::mutex> guard(handle_lock_);
    sqlite3_close_v2(std::exchange(handle_, nullptr));
}

void Database::interrupt() noexcept {
    const std::lock_guard<std::mutex> guard(handle_lock_);
    if (handle_ != nullptr) sqlite3_interrupt(handle_);
}

int Database::wait_for_lock(void* self, int attempts) {
    auto& database = *static_cast<Database*>(self);
    const auto now = std::chrono::steady_clock::now();
    if (attempts == 0) database.waiting_until_ = now + database.busy_timeout_;
    if (now >= database.waiting_until_ || database.stop_()) return 0;
    std::this_thread::sleep_for(kLockPoll);
    return 1;
}

void Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(code);
}

bool Database::in_transaction() const {
    return handle_ != nullptr && sqlite3_get_autocommit(handle_) == 0;
}

void Database::fail(int code) const {
    const std::string reason = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
    const std::string message = "SQLite \"" + path_ + "\": " + reason;
    for (const Rule& rule : kRules)
        if (rule.primary_code == (code & 0xFF))
            throw ConnectorError(rule.outcome, message, rule.hint);
    throw ConnectorError(FANOUT_FATAL, message);
}

}  // namespace fanout::sqlite_target
