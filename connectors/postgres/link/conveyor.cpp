// COPY is not for pipeline mode: the conveyor leaves it when a copy is next and everything before
// it has been answered, and enters it again behind.
#include "postgres/link/conveyor.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "fanout/base/fault_point.hpp"

namespace fanout::postgres {
namespace {

constexpr std::size_t kFlushBytes = 64 * 1024;
constexpr std::size_t kCopySliceBytes = 128 * 1024;

}  // namespace

void Conveyor::reset() {
    ops_.clear();
    expected_.clear();
    failure_.reset();
    marks_passed_ = names_given_ = 0;
    unflushed_bytes_ = copied_bytes_ = 0;
    copy_ = Copy::none;
    in_pipeline_ = unsynced_ = blocked_ = false;
}

void Conveyor::add(Statement& statement, OwnedParameters parameters, const void* owner,
                   Reader reader) {
    Op& op = ops_.emplace_back();
    op.statement = &statement;
    op.parameters = std::move(parameters);
    op.owner = owner;
    op.reader = std::move(reader);
}

void Conveyor::add_copy(std::string sql, std::string data, std::int64_t rows, const void* owner) {
    Op& op = ops_.emplace_back();
    op.kind = Kind::copy;
    op.sql = std::move(sql);
    op.data = std::move(data);
    op.rows = rows;
    op.owner = owner;
}

void Conveyor::add_mark() {
    ops_.emplace_back().kind = Kind::mark;
}

void Conveyor::move() {
    while (!idle() && !failure_ && step()) {
    }
}

void Conveyor::move_until(std::uint64_t marks) {
    while (marks_passed_ < marks && !idle() && !failure_)
        if (!step()) session_.wait(blocked_);
}

bool Conveyor::step() {
    const bool sent = send_some();
    const bool received = receive();
    return sent || received;
}

/// True if something has moved on.
bool Conveyor::send_some() {
    bool moved = false;
    while (!ops_.empty() && !failure_) {
        if (unflushed_bytes_ >= kFlushBytes && !flush()) return moved;
        Op& op = ops_.front();
        const bool done = op.kind == Kind::copy ? send_copy(op) : send_statement(op);
        if (!done) return moved;
        moved = true;
        ops_.pop_front();
    }
    if (unflushed_bytes_ != 0 || blocked_) flush();
    return moved;
}

bool Conveyor::send_statement(Op& op) {
    enter_pipeline();
    if (op.kind == Kind::mark) {
        send_mark();
        return true;
    }
    prepare(*op.statement, op.owner);
    const OwnedParameters& given = op.parameters;
    values_.clear();
    lengths_.clear();
    formats_.assign(given.values.size(), given.binary ? 1 : 0);
    for (std::size_t i = 0; i < given.values.size(); ++i) {
        const bool null = !given.nulls.empty() && given.nulls[i];
        values_.push_back(null ? nullptr : given.values[i].data());
        lengths_.push_back(static_cast<int>(given.values[i].size()));
        unflushed_bytes_ += given.values[i].size();
    }
    if (PQsendQueryPrepared(session_.connection(), op.statement->name.c_str(),
                            static_cast<int>(values_.size()), values_.data(), lengths_.data(),
                            formats_.data(), 0) == 0)
        session_.throw_lost("sending to the target");
    unflushed_bytes_ += 64;
    unsynced_ = true;
    expected_.push_back({Expected::What::statement, nullptr, op.owner, std::move(op.reader)});
    return true;
}

void Conveyor::send_mark() {
    send_sync(true);
    FANOUT_FAULT_HERE("postgres.answer_unread");
}

void Conveyor::send_sync(bool mark) {
    if (PQpipelineSync(session_.connection()) == 0) session_.throw_lost("sending to the target");
    unflushed_bytes_ += 5;
    unsynced_ = false;
    const auto what = mark ? Expected::What::mark : Expected::What::own_sync;
    expected_.push_back({what, nullptr, nullptr, {}});
}

void Conveyor::send_rollback() {
    if (PQsendQueryParams(session_.connection(), "ROLLBACK", 0, nullptr, nullptr, nullptr, nullptr,
                          0) == 0)
        session_.throw_lost("sending to the target");
    expected_.push_back({Expected::What::statement, nullptr, nullptr, {}});
}

void Conveyor::prepare(Statement& statement, const void* owner) {
    if (statement.prepared) return;
    statement.name = "fanout_ahead_" + std::to_string(++names_given_);
    if (PQsendPrepare(session_.connection(), statement.name.c_str(), statement.sql.c_str(),
                      static_cast<int>(statement.types.size()), statement.types.data()) == 0)
        session_.throw_lost("sending to the target");
    statement.prepared = true;
    unflushed_bytes_ += statement.sql.size();
    expected_.push_back({Expected::What::preparation, &statement, owner, {}});
}

/// False while the copy has not ended.
bool Conveyor::send_copy(Op& op) {
    if (copy_ == Copy::none && !begin_copy(op)) return false;
    if (copy_ == Copy::sending) feed_copy(op);
    return false;  // receive() takes the operation off when its result is there
}

bool Conveyor::begin_copy(const Op& op) {
    if (in_pipeline_ && unsynced_) send_sync(false);
    if (!flush() || !expected_.empty()) return false;
    leave_pipeline();
    if (PQsendQuery(session_.connection(), op.sql.c_str()) == 0)
        session_.throw_lost("copying to the target");
    copy_ = Copy::starting;
    copied_bytes_ = 0;
    flush();
    return true;
}

bool Conveyor::feed_copy(Op& op) {
    while (copied_bytes_ < op.data.size()) {
        if (!flush()) return false;
        const std::size_t slice = std::min(kCopySliceBytes, op.data.size() - copied_bytes_);
        const int taken = PQputCopyData(session_.connection(), op.data.data() + copied_bytes_,
                                        static_cast<int>(slice));
        if (taken < 0) session_.throw_lost("copying to the target");
        if (taken == 0) return false;
        copied_bytes_ += slice;
    }
    const int ended = PQputCopyEnd(session_.connection(), nullptr);
    if (ended < 0) session_.throw_lost("copying to the target");
    if (ended == 0) return false;
    copy_ = Copy::ending;
    flush();
    return true;
}

/// True if libpq holds nothing back.
bool Conveyor::flush() {
    const int left = PQflush(session_.connection());
    if (left < 0) session_.throw_lost("sending to the target");
    blocked_ = left != 0;
    if (!blocked_) unflushed_bytes_ = 0;
    return !blocked_;
}

bool Conveyor::receive() {
    if (expected_.empty() && copy_ == Copy::none) return false;
    if (PQconsumeInput(session_.connection()) == 0) session_.throw_lost("reading from the target");
    const std::size_t expected = expected_.size();
    const Copy copy = copy_;
    while (!expected_.empty() && PQisBusy(session_.connection()) == 0)
        take_pipelined();
    if (copy_ == Copy::starting || copy_ == Copy::ending) take_copy_results();
    return expected_.size() != expected || copy_ != copy;
}

void Conveyor::take_pipelined() {
    const ResultPtr result(PQgetResult(session_.connection()));
    if (result == nullptr) session_.throw_lost("reading from the target");
    const Expected::What what = expected_.front().what;
    const bool sync = what == Expected::What::mark || what == Expected::What::own_sync;
    const bool synced = PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC;
    take(result.get());
    // A commit that fails answers before its sync does, which comes all the same.
    if (!sync || synced) expected_.pop_front();
    if (synced) return;
    while (ResultPtr(PQgetResult(session_.connection())) != nullptr) {
    }
}

void Conveyor::take(const PGresult* result) {
    Expected& expected = expected_.front();
    const auto status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) {
        if (expected.what == Expected::What::mark && !failure_) ++marks_passed_;
        return;
    }
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        if (expected.reader && !failure_) expected.reader(result);
        return;
    }
    if (expected.preparing != nullptr) expected.preparing->prepared = false;
    if (status != PGRES_PIPELINE_ABORTED) fail(result, expected.owner);
}

void Conveyor::fail(const PGresult* result, const void* owner) {
    auto error = read_error(result);
    // The server's last words before it goes end the connection, not only the statement.
    if (PQstatus(session_.connection()) == CONNECTION_BAD) session_.throw_lost("target");
    if (!failure_) failure_ = Failure{std::move(error), owner};
}

void Conveyor::take_copy_results() {
    const Op& op = ops_.front();
    while (PQisBusy(session_.connection()) == 0) {
        const ResultPtr result(PQgetResult(session_.connection()));
        if (result == nullptr) {
            // The end of the whole command, failed or not.
            copy_ = Copy::none;
            ops_.pop_front();
            return;
        }
        const auto status = PQresultStatus(result.get());
        if (status == PGRES_COPY_IN) {
            copy_ = Copy::sending;
            return;
        }
        if (status != PGRES_COMMAND_OK) {
            fail(result.get(), op.owner);
        } else if (copy_ == Copy::ending &&
                   std::strtoll(PQcmdTuples(result.get()), nullptr, 10) != op.rows) {
            failure_ = Failure{{"", "the target kept fewer rows than it was given", ""}, op.owner};
        }
    }
}

void Conveyor::enter_pipeline() {
    if (in_pipeline_) return;
    if (PQenterPipelineMode(session_.connection()) == 0)
        session_.throw_lost("starting a group at the target");
    in_pipeline_ = true;
}

void Conveyor::leave_pipeline() {
    if (!in_pipeline_) return;
    if (PQexitPipelineMode(session_.connection()) == 0)
        session_.throw_lost("ending a group at the target");
    in_pipeline_ = false;
}

void Conveyor::drain() {
    if (failure_) {
        if (copy_ == Copy::none) ops_.clear();
        if (in_pipeline_ && unsynced_) {
            send_rollback();
            send_sync(false);
        }
        while (!expected_.empty() || copy_ != Copy::none) {
            flush();
            if (!receive()) session_.wait(blocked_);
        }
        ops_.clear();
        failure_.reset();
    }
    leave_pipeline();
}

}  // namespace fanout::postgres
