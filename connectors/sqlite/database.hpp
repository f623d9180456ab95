// The only file pair that sees SQLite's interface: a connection, its statements, and what each of
// its errors means for the host.
//
// Lane's thread, except interrupt(), which any thread may call. Throws ConnectorError; the caller
// adds the table and the row where it knows them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace fanout::sqlite_target {

class Database;

class Statement {
  public:
    Statement() = default;
    Statement(Database& database, const std::string& sql);
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&& other) noexcept;
    ~Statement();

    /// Parameters count from 1. Text and blobs must live until run() or reset().
    void bind_null(int at);
    void bind_integer(int at, std::int64_t value);
    void bind_real(int at, double value);
    void bind_text(int at, std::string_view text);
    void bind_text_copy(int at, std::string_view text);
    void bind_blob(int at, std::string_view bytes);

    /// Executes to the end; returns the number of rows it changed.
    std::int64_t run();
    /// Goes to the next result row; false behind the last.
    bool next();
    std::string text(int column) const;
    std::int64_t integer(int column) const;
    void reset() noexcept;

  private:
    void check(int code) const;

    Database* database_ = nullptr;
    sqlite3_stmt* handle_ = nullptr;
};

class Database {
  public:
    /// `stop` is asked while the connection waits for another one's lock.
    explicit Database(std::function<bool()> stop) : stop_(std::move(stop)) {}
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database() { close(); }

    enum class Missing { create, refuse };
    void open(const std::string& path, Missing missing, std::chrono::milliseconds busy_timeout);
    /// Rolls back what is open. Every statement must be gone before.
    void close() noexcept;
    void interrupt() noexcept;

    void execute(const std::string& sql);
    bool in_transaction() const;
    [[noreturn]] void fail(int code) const;

  private:
    friend class Statement;
    static int wait_for_lock(void* self, int attempts);

    std::function<bool()> stop_;
    std::string path_;
    std::mutex handle_lock_;  // interrupt() against open() and close()
    sqlite3* handle_ = nullptr;
    std::chrono::milliseconds busy_timeout_{0};
    std::chrono::steady_clock::time_point waiting_until_;
};

}  // namespace fanout::sqlite_target
