// A session at the source database, over libpq. The only file that sees libpq.
//
// One thread uses a connection. Every call gives up when the stop descriptor becomes readable, so
// that a hanging network does not hold up the end of the daemon. The session runs with
// application_name fanoutd, UTF-8 and synchronous_commit off: nothing it writes is worth a wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fanout/base/status.hpp"

struct pg_conn;
struct pg_result;

namespace fanout::source {

/// What the server (or libpq) said. sqlstate is empty when the connection is at fault.
struct SqlError {
    std::string sqlstate, message, detail, hint;
};

using Row = std::vector<std::optional<std::string>>;

struct QueryResult {
    std::vector<Row> rows;
    std::optional<SqlError> error;
    bool ok() const { return !error; }
};

class SourceConnection {
  public:
    /// `stop_fd`: readable once everything should end. The text of a failure says what to do.
    static Result<SourceConnection> connect(const std::string& conninfo, int stop_fd);

    SourceConnection(SourceConnection&&) noexcept = default;
    SourceConnection& operator=(SourceConnection&&) noexcept = default;
    ~SourceConnection() = default;

    /// One statement; parameters as text, nothing = NULL.
    QueryResult query(const std::string& sql,
                      const std::vector<std::optional<std::string>>& parameters = {},
                      std::chrono::milliseconds timeout = std::chrono::seconds(30),
                      bool binary = false);

    /// As query(), planned once in this session; `name`: of the statement, always the same text.
    QueryResult query_prepared(const char* name, const std::string& sql,
                               const std::vector<std::optional<std::string>>& parameters,
                               std::chrono::milliseconds timeout = std::chrono::seconds(30));
    /// Several statements at once, without results.
    std::optional<SqlError> execute(const std::string& sql, std::chrono::milliseconds timeout);

    /// Begins `COPY … TO STDOUT`; then next_copy_data() until it is over.
    std::optional<SqlError> start_copy(const std::string& sql, std::chrono::milliseconds timeout);
    enum class CopyStep : std::uint8_t { data, end, failed };
    /// Valid until the next call. After `failed` the connection is of no use.
    CopyStep next_copy_data(std::string_view& data, std::chrono::milliseconds timeout);
    /// Why next_copy_data() failed.
    const SqlError& copy_error() const { return copy_error_; }

    /// True if the server takes no new sessions: it is shutting down and waits for the ones it has
    /// (smart shutdown), this one among them. Nothing else tells a session that.
    static bool refuses_sessions(const std::string& conninfo);

    /// Reads what has arrived. False: the connection is gone.
    bool read_input();
    /// Payloads of the notifications read so far.
    std::vector<std::string> take_notifications();

    int socket() const;
    std::string user() const;
    std::string database() const;

  private:
    struct Closer {
        void operator()(pg_conn* connection) const;
    };
    SourceConnection(pg_conn* connection, int stop_fd) : connection_(connection), stop_(stop_fd) {}
    bool wait_for(short events, std::chrono::steady_clock::time_point deadline) const;
    std::string last_message() const;
    SqlError lost(const std::string& why) const;
    static QueryResult result_of(pg_result* result);
    QueryResult collect(std::chrono::steady_clock::time_point deadline);

    struct Freer {
        void operator()(char* data) const;
    };
    std::unique_ptr<pg_conn, Closer> connection_;
    std::unique_ptr<char, Freer> copy_data_;
    SqlError copy_error_;
    std::set<std::string> prepared_;
    int stop_;
};

/// The connection string without its password, for messages and --print-config.
std::string redacted_conninfo(const std::string& conninfo);

/// An error of a fanout function as one status: kind, and a text that ends in what to do.
Status explain(const SqlError& error, const SourceConnection& connection);

}  // namespace fanout::source
