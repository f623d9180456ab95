// Statements sent without waiting for each reply: libpq's pipeline mode with a bounded window.
//
// Lane's thread. After an error the server skips everything up to the next sync; sync() reports the
// first failure only and leaves the connection usable. The caller opens and ends transactions
// itself: with explicit BEGIN and COMMIT a failed group can never be half committed.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/link/session.hpp"

namespace fanout::postgres {

/// A statement the server parses once per connection. Owned by whoever made its text.
struct Statement {
    std::string sql;
    std::vector<Oid> types;  // of its parameters
    std::string name;        // given by the pipeline when it is first used
    bool prepared = false;
};

/// A parameter in binary form; without data it is NULL.
using BinaryParameter = std::string_view;

/// The first thing that went wrong since the last sync.
struct PipelineFailure {
    std::size_t tag = 0;  // what the caller gave for the statement
    std::optional<SqlError> error;
    std::int64_t expected_rows = 0, rows = 0;  // if there is no error: the count was wrong
};

class Pipeline {
  public:
    static constexpr std::int64_t kAnyRows = -1;

    explicit Pipeline(Session& session) : session_(session) {}

    /// Forgets what was under way: for a new connection.
    void reset();
    /// Enters pipeline mode; nothing may be under way.
    void begin();
    /// Queues a statement without binary parameters.
    void send(const std::string& sql, const std::vector<TextParameter>& parameters,
              std::int64_t expected_rows, std::size_t tag);
    /// Queues a prepared statement, its parameters in binary form. Prepares it when needed.
    void send(Statement& statement, const std::vector<BinaryParameter>& parameters,
              std::int64_t expected_rows, std::size_t tag);
    /// Queues a prepared statement, its parameters as text.
    void send_text(Statement& statement, const std::vector<TextParameter>& parameters,
                   std::size_t tag);
    /// Waits for all replies and leaves pipeline mode.
    std::optional<PipelineFailure> sync();

  private:
    struct Expected {
        Statement* preparing = nullptr;
        std::int64_t rows = kAnyRows;
        std::size_t tag = 0;
    };
    void prepare(Statement& statement, std::size_t tag);
    void queued(Expected expected, std::size_t bytes);
    void read_ready();
    void take(const PGresult* result);
    void take_one();

    Session& session_;
    std::deque<Expected> expected_;
    std::optional<PipelineFailure> failure_;
    std::size_t unflushed_statements_ = 0, unflushed_bytes_ = 0;
    std::uint64_t names_given_ = 0;
    std::vector<const char*> values_;
    std::vector<int> lengths_, formats_;
};

}  // namespace fanout::postgres
