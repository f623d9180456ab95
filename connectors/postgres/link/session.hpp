// One connection to the target: made, pinned to known settings, used without ever blocking in a
// way that interrupt() cannot end.
//
// Runs on the lane's thread; Interrupt::raise is for any thread. Owns the PGconn. Never keeps
// anything about positions: what is durable is known from the target's cursor alone.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanout/connector/connector.hpp"
#include "postgres/link/sql_error.hpp"

namespace fanout::postgres {

struct ResultDeleter {
    void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultDeleter>;

/// Wakes a lane that waits for the target. Stays raised until cleared.
class Interrupt {
  public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;
    void raise() noexcept;
    void clear() noexcept;
    int descriptor() const { return descriptor_; }

  private:
    int descriptor_;
};

/// A text parameter of a statement; no value is NULL.
using TextParameter = std::optional<std::string>;

class Session {
  public:
    Session(const fanout_host& host, Interrupt& interrupt) : host_(host), interrupt_(interrupt) {}
    ~Session() { close(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Connects and pins the settings. Throws ConnectorError.
    void connect(const std::string& dsn, const std::string& application_name);
    /// Cancels what may still run, then lets go. Never fails.
    void close() noexcept;
    bool is_open() const { return connection_ != nullptr; }

    /// One statement outside pipeline mode; throws what the server says, prefixed by `doing`.
    ResultPtr query(const std::string& sql, const std::vector<TextParameter>& parameters,
                    const std::string& doing);
    /// Several statements without parameters.
    void execute(const std::string& sql, const std::string& doing);
    /// As execute(); what the server says is returned. Throws if the connection is lost.
    std::optional<SqlError> attempt(const std::string& sql, const std::string& doing);

    PGconn* connection() const { return connection_; }
    /// Waits until the socket is readable, or writable if `for_write`. Throws FANOUT_RETRY when
    /// interrupted or past `deadline`.
    void wait(bool for_write,
              std::optional<std::chrono::steady_clock::time_point> deadline = std::nullopt);
    /// Sends what libpq holds back, reading meanwhile so that the server never blocks on us.
    void flush();
    /// The next result, waiting for it; null at the end of a statement.
    ResultPtr next_result();
    void log(int level, const std::string& text) const;
    [[noreturn]] void throw_lost(const std::string& doing) const;

  private:
    void start(const std::string& dsn, const std::string& application_name);
    void check_encoding();
    void pin_settings();
    ResultPtr last_result(const std::string& doing);
    ResultPtr last_answer(const std::string& doing);

    const fanout_host& host_;
    Interrupt& interrupt_;
    PGconn* connection_ = nullptr;
};

}  // namespace fanout::postgres
