// Tags of pipelined statements are step numbers; the transaction's own statements have none.
#include "postgres/apply/careful_applier.hpp"

#include <limits>
#include <utility>

#include "fanout/base/fault_point.hpp"
#include "fanout/base/lsn_text.hpp"
#include "postgres/apply/statements.hpp"

namespace fanout::postgres {
namespace {

using connector::ConnectorError;

constexpr std::size_t kNoTag = std::numeric_limits<std::size_t>::max();

}  // namespace

CarefulApplier::CarefulApplier(Session& session, Pipeline& pipeline, TablePlans& plans,
                               GroupPlanner& planner)
    : session_(session),
      pipeline_(pipeline),
      plans_(plans),
      planner_(planner),
      huge_rows_(session) {}

void CarefulApplier::reset(bool skip_missing_rows) {
    advance_ = CursorTable::advance_statement();
    put_note_ = Statement{CursorTable::put_note_sql(), {}, {}, false};
    remove_note_ = Statement{CursorTable::remove_note_sql(), {}, {}, false};
    skip_missing_rows_ = skip_missing_rows;
    in_transaction_ = in_savepoint_ = false;
    huge_rows_.reset();
}

void CarefulApplier::begin() {
    if (in_transaction_) return;
    session_.execute("BEGIN", "cannot begin a transaction in the target");
    in_transaction_ = true;
    in_savepoint_ = false;
}

void CarefulApplier::write(const fanout_batch& batch, bool regroup) {
    if (batch.change_count == 0) return;
    plans_.bind(batch);
    std::optional<PipelineFailure> failure;
    TablePlan* blamed = nullptr;
    std::string why;
    if (regroup) {
        const auto& steps = planner_.plan(batch, true);
        failure = run(steps);
        if (!failure) return;
        if (failure->error && failure->error->outcome() == FANOUT_RETRY)
            throw_failure(*failure, steps);
        if (failure->tag < steps.size()) blamed = steps[failure->tag].plan;
        why = failure->error ? failure->error->message
                             : std::to_string(failure->rows) + " rows instead of " +
                                   std::to_string(failure->expected_rows);
        undo_scope();
    }
    const auto& single = planner_.plan(batch, false);
    failure = run(single);
    if (failure) throw_failure(*failure, single);
    if (blamed != nullptr) plans_.regrouping_failed(*blamed, why);
}

std::optional<PipelineFailure> CarefulApplier::run(const std::vector<Step>& steps) {
    failed_early_.reset();
    pipeline_.begin();
    open_scope();
    for (tag_ = 0; tag_ < steps.size(); ++tag_) {
        step_ = &steps[tag_];
        if (step_->plan == nullptr)
            pipeline_.send(truncate_sql(step_->truncated, step_->truncate_flags), {},
                           Pipeline::kAnyRows, tag_);
        else
            encoder_.encode(*step_, *this);
    }
    auto failure = pipeline_.sync();
    return failed_early_ ? std::exchange(failed_early_, std::nullopt) : std::move(failure);
}

void CarefulApplier::send(RowStatement& statement, StatementParameters& parameters,
                          std::size_t rows) {
    if (failed_early_) return;
    if (parameters.huge()) {
        failed_early_ = send_huge(statement, parameters, rows);
        pipeline_.begin();
        return;
    }
    binary_.clear();
    for (std::size_t i = 0; i < parameters.size(); ++i)
        binary_.push_back(parameters.is_null(i) ? BinaryParameter{}
                                                : BinaryParameter(parameters.value(i)));
    pipeline_.send(statement.statement, binary_,
                   may_miss_rows(*step_, skip_missing_rows_) ? Pipeline::kAnyRows
                                                             : static_cast<std::int64_t>(rows),
                   tag_);
}

/// Outside the pipeline: what was sent before has to be answered.
std::optional<PipelineFailure> CarefulApplier::send_huge(RowStatement& statement,
                                                         const StatementParameters& parameters,
                                                         std::size_t rows) {
    if (auto failure = pipeline_.sync()) return failure;
    const auto sent = huge_rows_.run(statement.statement, parameters);
    if (sent.error) return PipelineFailure{tag_, sent.error, 0, 0};
    const auto expected = static_cast<std::int64_t>(rows);
    if (sent.rows == expected || may_miss_rows(*step_, skip_missing_rows_)) return std::nullopt;
    return PipelineFailure{tag_, std::nullopt, expected, sent.rows};
}

// The first write of a group opens the transaction, later ones a savepoint: what fails is undone
// and done again without what came before. It stays until the next write, because a wrong count is
// seen only when the server has gone on.
void CarefulApplier::open_scope() {
    const auto send = [&](const char* sql) { pipeline_.send(sql, {}, Pipeline::kAnyRows, kNoTag); };
    if (in_savepoint_) send("RELEASE SAVEPOINT fanout_write");
    in_savepoint_ = in_transaction_;
    send(in_transaction_ ? "SAVEPOINT fanout_write" : "BEGIN");
    in_transaction_ = true;
}

void CarefulApplier::undo_scope() {
    session_.execute(in_savepoint_ ? "ROLLBACK TO SAVEPOINT fanout_write" : "ROLLBACK",
                     "cannot undo a group in the target");
    in_transaction_ = in_savepoint_;
}

bool CarefulApplier::roll_back() {
    if (PQpipelineStatus(session_.connection()) != PQ_PIPELINE_OFF) return false;
    if (in_transaction_) session_.execute("ROLLBACK", "cannot undo a group in the target");
    in_transaction_ = in_savepoint_ = false;
    return true;
}

void CarefulApplier::commit(const CursorTable& table, const fanout_cursor& cursor,
                            const CursorPlace& previous, const Notes& notes) {
    finish(table, cursor, previous, notes, false);
}

void CarefulApplier::commit_durably(const CursorTable& table, const fanout_cursor& cursor,
                                    const CursorPlace& previous) {
    finish(table, cursor, previous, {}, true);
}

void CarefulApplier::finish(const CursorTable& table, const fanout_cursor& cursor,
                            const CursorPlace& previous, const Notes& notes, bool durably) {
    constexpr std::size_t kAdvance = 0, kOther = 1;
    pipeline_.begin();
    const auto send = [&](const char* sql) { pipeline_.send(sql, {}, Pipeline::kAnyRows, kOther); };
    if (!in_transaction_) send("BEGIN");
    if (durably) send("SET LOCAL synchronous_commit = on");
    for (const auto& [name, text] : notes)
        pipeline_.send_text(text ? put_note_ : remove_note_, table.note_parameters(name, text),
                            kOther);
    pipeline_.send_text(advance_, table.advance_parameters(cursor, previous), kAdvance);
    FANOUT_FAULT_HERE("postgres.cursor_sent");
    send("COMMIT");
    const auto failure = pipeline_.sync();
    in_transaction_ = in_savepoint_ = false;
    if (!failure) return;
    if (failure->tag == kAdvance && CursorTable::is_fenced(*failure->error)) table.throw_fenced();
    throw_error(*failure->error, "cannot commit in the target");
}

void CarefulApplier::throw_failure(const PipelineFailure& failure,
                                   const std::vector<Step>& steps) const {
    if (failure.tag >= steps.size()) throw_error(*failure.error, "target transaction");
    const Step& step = steps[failure.tag];
    if (step.plan == nullptr) throw_error(*failure.error, "truncate in the target", step.at);
    const PlannedRow& row = step.rows.front();
    const std::string what = step.rows.size() == 1 ? describe(step, row) : describe(step);
    if (failure.error) throw_error(*failure.error, what, row.at);
    const std::string where = what + " at " + lsn_text(row.at.commit_lsn);
    if (step.kind == StepKind::insert)
        throw ConnectorError(FANOUT_REJECT, where + ": the target did not keep the row",
                             "A trigger or rule of the target's table turns rows away: disable it, "
                             "or set \"session_replication_role\": \"replica\" in the target's "
                             "options.",
                             row.at);
    throw ConnectorError(
        FANOUT_REJECT,
        where + ": the target has " +
            (failure.rows == 0 ? "no such row" : std::to_string(failure.rows) + " such rows"),
        "The target's table was changed by something else, or did not have the row when the "
        "subscription began. Put the row there, or set \"missing_rows\": \"skip\" in the target's "
        "options.",
        row.at);
}

}  // namespace fanout::postgres
