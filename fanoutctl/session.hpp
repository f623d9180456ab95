// A session at the database, over libpq. The only file that sees libpq. Never blocks without asking
// the caller, so that a key or a signal ends a wait for a server that does not answer.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "fanout/base/status.hpp"

struct pg_conn;

namespace fanout::ctl {

/// Waits until the descriptor has the events (of poll); false: give up.
using Wait = std::function<bool(int descriptor, short events)>;

/// For those who have nothing else to wait for: up to 30 seconds.
bool plain_wait(int descriptor, short events);

class Session {
  public:
    static Result<Session> open(const std::string& conninfo, const Wait& wait);
    /// The one value of a statement.
    Result<std::string> ask(const char* statement, const Wait& wait);

  private:
    struct Closer {
        void operator()(pg_conn* connection) const;
    };
    explicit Session(pg_conn* connection) : connection_(connection) {}
    Status failure(const char* sqlstate, const std::string& message) const;
    std::unique_ptr<pg_conn, Closer> connection_;
};

}  // namespace fanout::ctl
