// Tags of pipelined statements are step numbers; the transaction's own statements have none.
#include "postgres/apply/applier.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "_kit/stored_types.hpp"
#include "_kit/value_text.hpp"
#include "fanout/base/fault_point.hpp"
#include "fanout/base/lsn_text.hpp"
#include "postgres/apply/copy_rows.hpp"
#include "postgres/apply/statements.hpp"

namespace fanout::postgres {
namespace {

using connector::ConnectorError;
using connector::view;

constexpr std::size_t kNoTag = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kStatementRows = 1000;
constexpr std::size_t kStatementBytes = 1024 * 1024;
constexpr std::size_t kKeyTextBytes = 120;
constexpr unsigned kFailedRegroupingsMax = 3;

const char* const kOperation[kStepKinds] = {"insert into", "update of", "update of",
                                            "delete from", "update of", "delete from"};

bool leaves_unchanged(const TablePlan& plan, const PlannedRow& row) {
    return std::any_of(plan.columns.begin(), plan.columns.end(), [&](const PlanColumn& column) {
        return column.may_be_unchanged && row.new_image[column.source].state == FANOUT_UNCHANGED;
    });
}

Oid element_oid(const TablePlan& plan, const ParameterSource& source) {
    if (source.from == ParameterSource::From::changed_mask) return kit::type_oid::kBool;
    return plan.columns[source.column].form.element_oid;
}

// "update of "public"."t" where (id) = (5)", short enough for a message.
std::string describe(const Step& step, const PlannedRow& row) {
    const TablePlan& plan = *step.plan;
    std::string text =
        std::string(kOperation[static_cast<std::size_t>(step.kind)]) + " " + plan.name;
    const fanout_value* image = row.old_image != nullptr ? row.old_image : row.new_image;
    std::string names, values;
    for (const PlanColumn& column : plan.columns) {
        if (!column.key || image[column.source].state != FANOUT_PRESENT) continue;
        names += (names.empty() ? "" : ", ") + column.name;
        values += values.empty() ? "" : ", ";
        kit::append_text(values, column.form.column, image[column.source]);
    }
    if (values.size() > kKeyTextBytes) values = values.substr(0, kKeyTextBytes) + "…";
    if (!names.empty()) text += " where (" + names + ") = (" + values + ")";
    return text;
}

}  // namespace

Applier::Applier(Session& session, Pipeline& pipeline)
    : session_(session),
      pipeline_(pipeline),
      planner_([this](const fanout_table& table) { return bound_.at(&table); }) {}

void Applier::reset(const ApplyOptions& options) {
    options_ = options;
    plans_.clear();
    retired_.clear();
    bound_.clear();
    advance_ = Statement{CursorTable::advance_sql(), {}, {}, false};
    put_note_ = Statement{CursorTable::put_note_sql(), {}, {}, false};
    remove_note_ = Statement{CursorTable::remove_note_sql(), {}, {}, false};
    notes_.clear();
    in_transaction_ = in_savepoint_ = false;
}

TablePlan* Applier::table_plan(const fanout_table& table) {
    std::shared_ptr<TablePlan>& plan = plans_[table.oid];
    if (plan != nullptr && plan->version == table.version) return plan.get();
    if (plan != nullptr) retired_.push_back(std::move(plan));
    const std::string schema(view(table.schema)), name(view(table.name));
    auto target = read_target_table(session_, schema, name);
    if (!target && options_.create_tables) {
        create_table(session_, table, options_.missing_types);
        target = read_target_table(session_, schema, name);
    }
    if (!target) {
        plans_.erase(table.oid);
        throw ConnectorError(FANOUT_FATAL,
                             "table \"" + schema + "\".\"" + name + "\" is not in the target",
                             "Create it there, or set \"create_tables\": true in the "
                             "subscription's options.");
    }
    plan = make_table_plan(table, *target);
    if (plan->match_whole_row)
        session_.log(FANOUT_LOG_WARNING, "table " + plan->name +
                                             " has no primary key: rows are found by all their "
                                             "columns, which is slow for large tables");
    else if (!plan->key.empty() && !plan->key_is_unique)
        session_.log(FANOUT_LOG_WARNING, "table " + plan->name +
                                             " of the target has no unique index on the source's "
                                             "key: updates and deletes will be slow");
    return plan.get();
}

// Reads catalogs and makes tables while the connection is not in pipeline mode.
void Applier::bind_tables(const fanout_batch& batch) {
    bound_.clear();
    retired_.clear();
    const fanout_table* last = nullptr;
    const auto bind = [&](const fanout_table* table) {
        if (table == last || table == nullptr) return;
        last = table;
        if (!bound_.contains(table)) bound_[table] = table_plan(*table);
    };
    for (std::size_t t = 0; t < batch.transaction_count; ++t) {
        const fanout_transaction& transaction = batch.transactions[t];
        for (std::size_t i = 0; i < transaction.change_count; ++i) {
            const fanout_change& change = transaction.changes[i];
            bind(change.table);
            for (std::size_t n = 0; n < change.table_count; ++n)
                bind(change.tables[n]);
        }
    }
}

void Applier::write(const fanout_batch& batch) {
    if (batch.change_count == 0) return;
    bind_tables(batch);
    const auto& steps = planner_.plan(batch, true);
    auto failure = run(steps);
    if (!failure) return;
    if (failure->error && failure->error->outcome() == FANOUT_RETRY) throw_failure(*failure, steps);
    TablePlan* blamed = failure->tag < steps.size() ? steps[failure->tag].plan : nullptr;
    undo_scope();
    const auto& single = planner_.plan(batch, false);
    failure = run(single);
    if (failure) throw_failure(*failure, single);
    // Regrouping this table keeps failing: its rows depend on each other in ways not seen here.
    if (blamed != nullptr && ++blamed->failed_regroupings >= kFailedRegroupingsMax)
        blamed->regrouping = Regrouping::nothing;
}

std::optional<PipelineFailure> Applier::run(const std::vector<Step>& steps) {
    pipeline_.begin();
    open_scope();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (!worth_copying(steps[i])) {
            send_step(steps[i], i);
            continue;
        }
        if (auto failure = pipeline_.sync()) return failure;
        if (auto failure = copy_rows(session_, steps[i], i)) return failure;
        pipeline_.begin();
    }
    return pipeline_.sync();
}

// The first write of a group opens the transaction, later ones a savepoint: what fails is undone
// and done again without what came before. It stays until the next write, because a wrong count is
// seen only when the server has gone on.
void Applier::open_scope() {
    const auto send = [&](const char* sql) { pipeline_.send(sql, {}, Pipeline::kAnyRows, kNoTag); };
    if (in_savepoint_) send("RELEASE SAVEPOINT fanout_write");
    in_savepoint_ = in_transaction_;
    send(in_transaction_ ? "SAVEPOINT fanout_write" : "BEGIN");
    in_transaction_ = true;
}

void Applier::undo_scope() {
    session_.execute(in_savepoint_ ? "ROLLBACK TO SAVEPOINT fanout_write" : "ROLLBACK",
                     "cannot undo a group in the target");
    in_transaction_ = in_savepoint_;
}

std::int64_t Applier::expected_rows(const Step& step, std::size_t rows) const {
    const bool may_miss = step.kind != StepKind::insert &&
                          (step.lenient || options_.skip_missing_rows ||
                           (step.plan->deletes_may_miss && step.kind != StepKind::update));
    return may_miss ? Pipeline::kAnyRows : static_cast<std::int64_t>(rows);
}

void Applier::send_step(const Step& step, std::size_t tag) {
    if (step.plan == nullptr) {
        pipeline_.send(truncate_sql(step.truncated, step.truncate_flags), {}, Pipeline::kAnyRows,
                       tag);
        return;
    }
    for (std::size_t next = 0; next < step.rows.size();)
        next = send_chunk(step, next, tag);
}

RowStatement& Applier::choose_statement(const Step& step, std::size_t first, std::size_t last) {
    TablePlan& plan = *step.plan;
    const bool matches = step.kind == StepKind::update_match || step.kind == StepKind::remove_match;
    StatementSet& set = last - first == 1 && !matches ? plan.one : plan.many;
    if (step.kind == StepKind::update)
        for (std::size_t i = first; i < last; ++i)
            if (leaves_unchanged(plan, step.rows[i])) return set.update_masked;
    return set.by_kind[static_cast<std::size_t>(step.kind)];
}

// Sends rows from `first` on, as many as one statement takes; returns the next one.
std::size_t Applier::send_chunk(const Step& step, std::size_t first, std::size_t tag) {
    const std::size_t last = std::min(step.rows.size(), first + kStatementRows);
    RowStatement& use = choose_statement(step, first, last);
    if (use.statement.sql.empty()) return last;  // an update without a column to set
    parameters_.reset(use.parameters.size(), use.arrays);
    for (std::size_t i = 0; i < use.parameters.size(); ++i)
        parameters_.set_type(i, element_oid(*step.plan, use.parameters[i]));
    std::size_t next = first;
    while (next < last && parameters_.bytes() < kStatementBytes)
        append_row(use, *step.plan, step.rows[next++]);
    const std::size_t rows = next - first;
    parameters_.finish(rows);
    binary_.clear();
    for (std::size_t i = 0; i < parameters_.size(); ++i)
        binary_.push_back(parameters_.is_null(i) ? BinaryParameter{}
                                                 : BinaryParameter(parameters_.value(i)));
    pipeline_.send(use.statement, binary_, expected_rows(step, rows), tag);
    return next;
}

void Applier::append_row(const RowStatement& use, const TablePlan& plan, const PlannedRow& row) {
    using From = ParameterSource::From;
    for (std::size_t i = 0; i < use.parameters.size(); ++i) {
        const ParameterSource& source = use.parameters[i];
        const PlanColumn& column = plan.columns[source.column];
        const fanout_value* image = source.from == From::old_image ? row.old_image : row.new_image;
        const fanout_value& value = image[column.source];
        if (source.from == From::changed_mask) {
            parameters_.append_bool(i, value.state != FANOUT_UNCHANGED);
            continue;
        }
        try {
            parameters_.append(i, column.form, value);
        } catch (const std::invalid_argument& bad) {
            throw ConnectorError(FANOUT_REJECT, "table " + plan.name + ": " + bad.what(), {},
                                 row.at);
        }
    }
}

void Applier::prepare_table(const fanout_table& table, bool must_be_empty) {
    const TablePlan& plan = *table_plan(table);
    if (!must_be_empty) return;
    const ResultPtr rows = session_.query("SELECT FROM " + plan.reference + " LIMIT 1", {},
                                          "cannot look into table " + plan.name);
    if (PQntuples(rows.get()) == 0) return;
    throw ConnectorError(FANOUT_FATAL,
                         "table " + plan.name +
                             " of the target has rows already, and the subscription copies the "
                             "source's into it",
                         "Empty it, or set \"on_nonempty\" to \"truncate\" or \"upsert\" in the "
                         "subscription's options; \"backfill\": false copies nothing.");
}

void Applier::commit(const CursorTable& table, const fanout_cursor& cursor) {
    constexpr std::size_t kAdvance = 0, kCommit = 1;
    pipeline_.begin();
    if (!in_transaction_) pipeline_.send("BEGIN", {}, Pipeline::kAnyRows, kNoTag);
    for (const auto& [name, text] : notes_)
        pipeline_.send_text(text ? put_note_ : remove_note_, table.note_parameters(name, text),
                            kNoTag);
    pipeline_.send_text(advance_, table.advance_parameters(cursor), kAdvance);
    FANOUT_FAULT_HERE("postgres.cursor_sent");
    pipeline_.send("COMMIT", {}, Pipeline::kAnyRows, kCommit);
    const auto failure = pipeline_.sync();
    in_transaction_ = in_savepoint_ = false;
    notes_.clear();
    if (!failure) return;
    if (failure->tag == kAdvance && CursorTable::is_fenced(*failure->error)) table.throw_fenced();
    throw_error(*failure->error, "cannot commit in the target");
}

void Applier::throw_failure(const PipelineFailure& failure, const std::vector<Step>& steps) const {
    if (failure.tag >= steps.size()) throw_error(*failure.error, "target transaction");
    const Step& step = steps[failure.tag];
    if (step.plan == nullptr) throw_error(*failure.error, "truncate in the target", step.at);
    const PlannedRow& row = step.rows.front();
    const std::string what =
        step.rows.size() == 1
            ? describe(step, row)
            : std::string(kOperation[static_cast<std::size_t>(step.kind)]) + " " + step.plan->name;
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
