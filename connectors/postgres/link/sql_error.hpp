// What a PostgreSQL error means for the lane: which outcome, and what a person can do.
//
// The one place that knows SQLSTATEs. Stateless.
#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

#include "fanout/connector/connector.hpp"

namespace fanout::postgres {

struct SqlError {
    std::string sqlstate;  // empty: the connection itself failed
    std::string message;   // the server's words with their detail, one line
    std::string hint;

    fanout_outcome outcome() const;
    /// The server's hint if it gave one, else ours for this SQLSTATE.
    std::string advice() const;
};

/// The error in `result`.
SqlError read_error(const PGresult* result);

/// The error of a connection that could not be made or broke. Needs PQERRORS_VERBOSE while
/// connecting: libpq gives no other way to the SQLSTATE of a refusal.
SqlError read_connection_error(const PGconn* connection);

[[noreturn]] void throw_error(const SqlError& error, const std::string& doing, Position at = {});

}  // namespace fanout::postgres
