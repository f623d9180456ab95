// Flushes every few statements: libpq re-copies its whole backlog on each send otherwise, and reads
// replies meanwhile: the server stops reading when nobody takes its replies.
#include "postgres/link/pipeline.hpp"

#include <cstdlib>

#include "fanout/base/fault_point.hpp"

namespace fanout::postgres {
namespace {

constexpr std::size_t kFlushStatements = 32;
constexpr std::size_t kFlushBytes = 64 * 1024;

}  // namespace

void Pipeline::reset() {
    expected_.clear();
    failure_.reset();
    unflushed_statements_ = unflushed_bytes_ = 0;
    names_given_ = 0;
}

void Pipeline::begin() {
    if (PQenterPipelineMode(session_.connection()) == 0)
        session_.throw_lost("starting a group at the target");
}

void Pipeline::send(const std::string& sql, const std::vector<TextParameter>& parameters,
                    std::int64_t expected_rows, std::size_t tag) {
    values_.clear();
    for (const auto& parameter : parameters)
        values_.push_back(parameter ? parameter->c_str() : nullptr);
    if (PQsendQueryParams(session_.connection(), sql.c_str(), static_cast<int>(values_.size()),
                          nullptr, values_.data(), nullptr, nullptr, 0) == 0)
        session_.throw_lost("sending to the target");
    queued({nullptr, expected_rows, tag}, sql.size());
}

void Pipeline::prepare(Statement& statement, std::size_t tag) {
    if (statement.prepared) return;
    statement.name = "fanout_" + std::to_string(++names_given_);
    if (PQsendPrepare(session_.connection(), statement.name.c_str(), statement.sql.c_str(),
                      static_cast<int>(statement.types.size()), statement.types.data()) == 0)
        session_.throw_lost("sending to the target");
    statement.prepared = true;
    queued({&statement, kAnyRows, tag}, statement.sql.size());
}

void Pipeline::send_text(Statement& statement, const std::vector<TextParameter>& parameters,
                         std::size_t tag) {
    prepare(statement, tag);
    values_.clear();
    for (const auto& parameter : parameters)
        values_.push_back(parameter ? parameter->c_str() : nullptr);
    if (PQsendQueryPrepared(session_.connection(), statement.name.c_str(),
                            static_cast<int>(values_.size()), values_.data(), nullptr, nullptr,
                            0) == 0)
        session_.throw_lost("sending to the target");
    queued({nullptr, kAnyRows, tag}, 0);
}

void Pipeline::send(Statement& statement, const std::vector<BinaryParameter>& parameters,
                    std::int64_t expected_rows, std::size_t tag) {
    prepare(statement, tag);
    values_.clear();
    lengths_.clear();
    formats_.assign(parameters.size(), 1);
    std::size_t bytes = 0;
    for (const auto& parameter : parameters) {
        values_.push_back(parameter.data());
        lengths_.push_back(static_cast<int>(parameter.size()));
        bytes += parameter.size();
    }
    if (PQsendQueryPrepared(session_.connection(), statement.name.c_str(),
                            static_cast<int>(values_.size()), values_.data(), lengths_.data(),
                            formats_.data(), 0) == 0)
        session_.throw_lost("sending to the target");
    queued({nullptr, expected_rows, tag}, bytes);
}

void Pipeline::queued(Expected expected, std::size_t bytes) {
    expected_.push_back(expected);
    unflushed_bytes_ += bytes;
    if (++unflushed_statements_ < kFlushStatements && unflushed_bytes_ < kFlushBytes) return;
    unflushed_statements_ = unflushed_bytes_ = 0;
    if (PQsendFlushRequest(session_.connection()) == 0)
        session_.throw_lost("sending to the target");
    session_.flush();
    read_ready();
}

// Takes the replies that are here already.
void Pipeline::read_ready() {
    if (PQconsumeInput(session_.connection()) == 0) session_.throw_lost("reading from the target");
    while (!expected_.empty() && PQisBusy(session_.connection()) == 0)
        take_one();
}

// One statement's result and the null behind it.
void Pipeline::take_one() {
    const ResultPtr result = session_.next_result();
    if (result == nullptr) session_.throw_lost("reading from the target");
    take(result.get());
    while (session_.next_result() != nullptr) {
    }
}

void Pipeline::take(const PGresult* result) {
    const Expected expected = expected_.front();
    expected_.pop_front();
    const auto status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        if (expected.rows == kAnyRows || failure_) return;
        const auto rows = std::strtoll(PQcmdTuples(const_cast<PGresult*>(result)), nullptr, 10);
        if (rows != expected.rows)
            failure_ = PipelineFailure{expected.tag, std::nullopt, expected.rows, rows};
        return;
    }
    if (expected.preparing != nullptr) expected.preparing->prepared = false;
    if (status == PGRES_PIPELINE_ABORTED) return;
    auto error = read_error(result);
    // The server's last words before it goes end the connection, not only the statement.
    if (PQstatus(session_.connection()) == CONNECTION_BAD) session_.throw_lost("target");
    // A wrong count makes the group fail; an error after it is only a consequence at most.
    if (!failure_) failure_ = PipelineFailure{expected.tag, std::move(error), 0, 0};
}

std::optional<PipelineFailure> Pipeline::sync() {
    if (PQpipelineSync(session_.connection()) == 0) session_.throw_lost("sending to the target");
    unflushed_statements_ = unflushed_bytes_ = 0;
    session_.flush();
    FANOUT_FAULT_HERE("postgres.answer_unread");
    while (!expected_.empty())
        take_one();
    const ResultPtr end = session_.next_result();
    if (end == nullptr || PQresultStatus(end.get()) != PGRES_PIPELINE_SYNC)
        session_.throw_lost("waiting for the target");
    if (PQexitPipelineMode(session_.connection()) == 0)
        session_.throw_lost("ending a group at the target");
    auto failure = std::move(failure_);
    failure_.reset();
    return failure;
}

}  // namespace fanout::postgres
