// Statements and COPY data on their way to the target, group by group, without waiting: what the
// socket does not take yet stays here, replies are read as they come.
//
// Lane's thread. A group is what stands before a mark. It is one transaction: the sync that is sent
// for its mark commits it, unless a BEGIN and a COMMIT are among it. INVARIANT: a sync goes out
// only behind a whole group, inside a BEGIN of its own, or behind a ROLLBACK, so that a part of a
// group is never committed. After a failure nothing more is sent; drain() brings the connection
// back to where single statements can be used. libpq is given little at a time: its own backlog
// would be copied again with each send.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "postgres/link/pipeline.hpp"
#include "postgres/link/session.hpp"

namespace fanout::postgres {

/// Parameters that the conveyor keeps until they are sent.
struct OwnedParameters {
    std::vector<std::string> values;
    std::vector<bool> nulls;  // empty: none is NULL
    bool binary = true;
};

class Conveyor {
  public:
    /// Gets a result that was asked for, on the lane's thread.
    using Reader = std::function<void(const PGresult*)>;

    struct Failure {
        SqlError error;
        const void* owner = nullptr;  // as the statement was given it
    };

    explicit Conveyor(Session& session) : session_(session) {}

    /// Forgets what was under way: for a new connection.
    void reset();

    /// `statement` outlives its reply. `owner` comes back if it fails.
    void add(Statement& statement, OwnedParameters parameters, const void* owner = nullptr,
             Reader reader = {});
    /// COPY … FROM STDIN with all its data, in a group with BEGIN. `rows` have to arrive.
    void add_copy(std::string sql, std::string data, std::int64_t rows, const void* owner);
    /// The end of a group.
    void add_mark();

    /// Sends and receives what can be without waiting.
    void move();
    /// Until `marks` groups have ended since reset(), or something has failed.
    void move_until(std::uint64_t marks);
    std::uint64_t marks_passed() const { return marks_passed_; }
    const std::optional<Failure>& failure() const { return failure_; }
    /// Nothing is under way.
    bool idle() const { return ops_.empty() && expected_.empty() && copy_ == Copy::none; }

    /// Makes the connection usable for single statements: nothing may be under way, or something
    /// has failed; then what is under way is read and what is not is forgotten.
    void drain();

  private:
    enum class Kind : std::uint8_t { statement, copy, mark };
    enum class Copy : std::uint8_t { none, starting, sending, ending };
    struct Op {
        Kind kind = Kind::statement;
        Statement* statement = nullptr;
        OwnedParameters parameters;
        Reader reader;
        const void* owner = nullptr;
        std::string sql, data;
        std::int64_t rows = 0;
    };
    struct Expected {
        enum class What : std::uint8_t { statement, preparation, mark, own_sync };
        What what = What::statement;
        Statement* preparing = nullptr;
        const void* owner = nullptr;
        Reader reader;
    };

    bool step();
    bool send_some();
    bool send_statement(Op& op);
    bool send_copy(Op& op);
    bool begin_copy(const Op& op);
    bool feed_copy(Op& op);
    void send_mark();
    void send_sync(bool mark);
    void send_rollback();
    void prepare(Statement& statement, const void* owner);
    bool flush();
    bool receive();
    void take_pipelined();
    void take(const PGresult* result);
    void take_copy_results();
    void fail(const PGresult* result, const void* owner);
    void enter_pipeline();
    void leave_pipeline();

    Session& session_;
    std::deque<Op> ops_;
    std::deque<Expected> expected_;
    std::optional<Failure> failure_;
    std::uint64_t marks_passed_ = 0;
    std::uint64_t names_given_ = 0;
    std::size_t unflushed_bytes_ = 0;
    std::size_t copied_bytes_ = 0;
    Copy copy_ = Copy::none;
    bool in_pipeline_ = false;
    bool unsynced_ = false;  // statements sent since the last sync
    bool blocked_ = false;   // the socket is full
    std::vector<const char*> values_;
    std::vector<int> lengths_, formats_;
};

}  // namespace fanout::postgres
