// The way ahead is rows, cursor, commit without a wait; statements that could touch too few rows
// check that themselves there, because the commit is on its way when their answers come.
#include "postgres/apply/applier.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "fanout/base/fault_point.hpp"
#include "fanout/base/lsn_text.hpp"
#include "postgres/apply/copy_rows.hpp"
#include "postgres/target/create_indexes.hpp"

namespace fanout::postgres {
namespace {

/// Rows that are changed once more by each transaction leave a version each until the target's
/// transaction ends, and finding them becomes slower with every one.
constexpr std::size_t kUnfoldedTransactionsMax = 100;

bool is_part(const fanout_batch& batch) {
    return batch.transaction_count != 0 &&
           batch.transactions[batch.transaction_count - 1].ends == 0;
}

/// It comes alone.
bool is_schema_change(const fanout_batch& batch) {
    if (batch.change_count != 1 || batch.transaction_count != 1) return false;
    const auto op = batch.transactions[0].changes[0].op;
    return op == FANOUT_DDL || op == FANOUT_SEQUENCE;
}

Lsn read_lsn(const PGresult* result, int column) {
    return parse_lsn(PQgetvalue(result, 0, column)).value_or(0);
}

/// How many of the transactions from `first` on make a group; `folds` says whether all do.
std::size_t group_size(const fanout_batch& batch, std::size_t first, bool folds) {
    const std::size_t rest = batch.transaction_count - first;
    return folds || rest < kUnfoldedTransactionsMax ? rest : kUnfoldedTransactionsMax;
}

fanout_batch slice(const fanout_batch& batch, std::size_t first, std::size_t count) {
    fanout_batch part{batch.transactions + first, count, 0};
    for (std::size_t i = 0; i < count; ++i)
        part.change_count += part.transactions[i].change_count;
    return part;
}

/// What has to be sent in pieces cannot be sent ahead.
bool is_huge(const fanout_change& change) {
    const std::size_t columns = change.table->column_count;
    return image_bytes(change.before, columns) + image_bytes(change.after, columns) >=
           kHugeRowBytes;
}

}  // namespace

Applier::Applier(Session& session, Pipeline& pipeline, const CursorTable& cursor_table)
    : session_(session),
      cursor_table_(cursor_table),
      plans_(session),
      planner_([this](const fanout_table& table) { return plans_.find(table); }),
      careful_(session, pipeline, plans_, planner_),
      schema_(session),
      conveyor_(session) {}

void Applier::reset(const ApplyOptions& options, const fanout_cursor& cursor) {
    options_ = options;
    plans_.reset(options.create_tables, options.missing_types);
    careful_.reset(options.skip_missing_rows);
    schema_.reset(options.create_tables, options.missing_types);
    conveyor_.reset();
    durability_.reset();
    written_.reset();
    groups_.clear();
    marks_sent_ = writes_ = writes_done_ = flushes_ = flushes_done_ = 0;
    sent_ = done_ = {cursor, 0};
    standby_appeared_ = false;
    begin_ = Statement{"BEGIN", {}, {}, false};
    commit_ = Statement{"COMMIT", {}, {}, false};
    advance_ = CursorTable::advance_statement();
    put_note_ = Statement{CursorTable::put_note_sql(), {}, {}, false};
    remove_note_ = Statement{CursorTable::remove_note_sql(), {}, {}, false};
    notes_.clear();
}

// A batch is not looked at before its flush: then it is known whether it is the whole group.
void Applier::write(const fanout_batch& batch) {
    ++writes_;
    if (is_schema_change(batch)) {
        change_schema(batch);
        return;
    }
    schema_.forget_emptied();  // rows have come since
    if (!written_ && !is_part(batch) && !careful_.in_transaction()) {
        written_ = batch;
        return;
    }
    take_written();
    write_carefully(batch);
    writes_done_ = writes_;
}

/// It is the only change of its batch.
void Applier::change_schema(const fanout_batch& batch) {
    const fanout_transaction& transaction = batch.transactions[0];
    const fanout_change& change = transaction.changes[0];
    take_written();
    careful_.begin();
    if (change.op == FANOUT_SEQUENCE) {
        schema_.set_sequence(*change.sequence);
    } else {
        schema_.apply(*change.ddl, {transaction.commit_lsn, change.index});
        plans_.forget(change.ddl->oid);
    }
    writes_done_ = writes_;
}

/// What was written and cannot go ahead, because its group has more than one write.
void Applier::take_written() {
    finish_groups();
    if (!written_) return;
    write_carefully(*std::exchange(written_, std::nullopt));
    writes_done_ = writes_;
}

void Applier::flush(const fanout_cursor& cursor) {
    ++flushes_;
    if (standby_appeared_) wait_for_commits();
    const fanout_batch batch = std::exchange(written_, std::nullopt).value_or(fanout_batch{});
    if (careful_.in_transaction()) {
        commit_carefully(cursor, std::exchange(notes_, {}), flushes_);
        return;
    }
    if (!plans_.knows(batch)) finish_groups();
    plans_.bind(batch);
    const Shape shape = shape_of(batch);
    if (!shape.can_go_ahead) {
        finish_groups();
        write_carefully(batch);
        commit_carefully(cursor, std::exchange(notes_, {}), flushes_);
        writes_done_ = writes_;
        return;
    }
    for (std::size_t first = 0; first < batch.transaction_count || first == 0;) {
        const std::size_t count = group_size(batch, first, shape.folds);
        const bool last = first + count == batch.transaction_count;
        const fanout_transaction* end = last ? nullptr : &batch.transactions[first + count - 1];
        send_group(slice(batch, first, count),
                   last ? cursor : fanout_cursor{end->commit_lsn, end->end_lsn, end->commit_time},
                   last);
        if (last) break;
        first += count;
    }
    FANOUT_FAULT_HERE("postgres.rows_unsent");
    conveyor_.move();
    FANOUT_FAULT_HERE("postgres.rows_sent");
}

Applier::Shape Applier::shape_of(const fanout_batch& batch) const {
    Shape shape;
    const fanout_table* last = nullptr;
    const TablePlan* plan = nullptr;
    for (std::size_t t = 0; t < batch.transaction_count; ++t) {
        const fanout_transaction& transaction = batch.transactions[t];
        for (std::size_t i = 0; i < transaction.change_count; ++i) {
            const fanout_change& change = transaction.changes[i];
            if (change.op == FANOUT_TRUNCATE) shape.can_go_ahead = false;
            if (change.table == nullptr) continue;
            if (change.table != last) plan = plans_.find(*(last = change.table));
            if (plan->may_be_huge && is_huge(change)) shape.can_go_ahead = false;
            if (plan->regrouping == Regrouping::nothing) shape.can_go_ahead = false;
            const bool folded = plan->regrouping == Regrouping::folded &&
                                (change.flags & FANOUT_CHANGE_LENIENT) == 0;
            if (!folded && change.op != FANOUT_INSERT && change.op != FANOUT_READ)
                shape.folds = false;
        }
    }
    return shape;
}

/// With the `last` one its write is done with and its flush complete.
void Applier::send_group(const fanout_batch& batch, const fanout_cursor& cursor, bool last) {
    const std::uint64_t mark = ++marks_sent_;
    const CursorPlace place{cursor, sent_.groups + 1};
    const std::uint64_t open = last ? 0 : 1;
    groups_.push_back({batch, place, mark, writes_ - open, flushes_ - open, 0, 0,
                       last ? std::exchange(notes_, {}) : Notes()});
    const auto& steps = planner_.plan(batch, true);
    const auto to_copy = [&](const Step& step) { return worth_copying(step, batch.change_count); };
    // A copy is outside the pipeline: only then the transaction needs words of its own.
    const bool copies = std::any_of(steps.begin(), steps.end(), to_copy);
    const bool only_copy = copies && steps.size() == 1;
    if (copies && !only_copy) send_text(begin_);
    for (const Step& step : steps) {
        step_ = &step;
        if (to_copy(step))
            send_copy(only_copy ? "BEGIN; " : "", step);
        else
            encoder_.encode(step, *this);
    }
    for (const auto& [name, text] : groups_.back().notes)
        send_text(text ? put_note_ : remove_note_, cursor_table_.note_parameters(name, text));
    send_text(advance_, cursor_table_.advance_parameters(cursor, sent_), &advance_,
              [this, mark](const PGresult* result) {
                  Group& group = groups_[mark - groups_.front().mark];
                  group.inserted = read_lsn(result, 1);
                  group.flushed = read_lsn(result, 2);
              });
    FANOUT_FAULT_HERE("postgres.cursor_sent");
    if (copies) send_text(commit_);
    conveyor_.add_mark();
    sent_ = place;
}

void Applier::send_copy(const char* before, const Step& step) {
    conveyor_.add_copy(before + copy_sql(*step.plan), copy_data(step, [this] { conveyor_.move(); }),
                       static_cast<std::int64_t>(step.rows.size()), step.plan);
    conveyor_.move();
}

void Applier::send_text(Statement& statement, const std::vector<TextParameter>& parameters,
                        const void* owner, Conveyor::Reader reader) {
    OwnedParameters owned;
    owned.binary = false;
    for (const TextParameter& parameter : parameters) {
        owned.values.push_back(parameter.value_or(""));
        owned.nulls.push_back(!parameter.has_value());
    }
    conveyor_.add(statement, std::move(owned), owner, std::move(reader));
}

void Applier::send(RowStatement& statement, StatementParameters& parameters, std::size_t) {
    OwnedParameters owned;
    for (std::size_t i = 0; i < parameters.size(); ++i)
        owned.nulls.push_back(parameters.is_null(i));
    owned.values = parameters.take();
    const bool unchecked =
        step_->kind == StepKind::insert || may_miss_rows(*step_, options_.skip_missing_rows);
    conveyor_.add(unchecked ? statement.statement : statement.checked, std::move(owned),
                  step_->plan);
    if (++statements_since_move_ % kStatementsBetweenMoves == 0) conveyor_.move();
}

fanout_progress Applier::settle(fanout_settle until) {
    conveyor_.move();
    take_done_groups();
    if (until == FANOUT_SETTLE_ONE && writes_done_ < writes_) {
        const std::uint64_t before = writes_done_;
        while (!groups_.empty() && writes_done_ == before) {
            conveyor_.move_until(groups_.front().mark);
            take_done_groups();
        }
        if (writes_done_ == before) take_written();
    } else if (until >= FANOUT_SETTLE_WRITTEN) {
        take_written();
        if (until == FANOUT_SETTLE_DURABLE && !careful_.in_transaction()) make_durable();
    }
    return progress();
}

void Applier::prepare_table(const fanout_table& table, bool must_be_empty) {
    take_written();
    const TablePlan& plan = plans_.prepare(table);
    if (!must_be_empty) return;
    const ResultPtr rows = session_.query("SELECT FROM " + plan.reference + " LIMIT 1", {},
                                          "cannot look into table " + plan.name);
    if (PQntuples(rows.get()) == 0) return;
    throw connector::ConnectorError(
        FANOUT_FATAL,
        "table " + plan.name +
            " of the target has rows already, and the subscription copies the source's into it",
        "Empty it, or set \"on_nonempty\" to \"truncate\" or \"upsert\" in the subscription's "
        "options; \"backfill\": false copies nothing.");
}

void Applier::create_index(const fanout_table& table, const fanout_index& index,
                           bool own_tables_only) {
    take_written();
    postgres::create_index(session_, table, index, own_tables_only);
    plans_.forget(table.oid);  // how its rows may be regrouped depends on its unique indexes
}

/// Everything sent is done afterwards, and the connection free for single statements.
void Applier::finish_groups() {
    conveyor_.move_until(marks_sent_);
    take_done_groups();
    conveyor_.drain();
    plans_.forget_retired();
}

void Applier::take_done_groups() {
    while (!groups_.empty() && groups_.front().mark <= conveyor_.marks_passed()) {
        const Group& group = groups_.front();
        if (group.flushed != 0)
            durability_.saw(group.inserted, group.flushed);
        else if (options_.commits_ahead)
            standby_appeared_ = true;
        committed(group.place, group.flushes);
        writes_done_ = group.writes;
        groups_.pop_front();
        FANOUT_FAULT_HERE("postgres.committed");
    }
    if (conveyor_.failure()) recover();
}

void Applier::committed(const CursorPlace& place, std::uint64_t flushes) {
    done_ = place;
    flushes_done_ = flushes;
    durability_.committed(flushes);
    if (!options_.commits_ahead) durability_.all_durable();
}

/// The server has undone the group that failed and let nothing in behind it.
void Applier::recover() {
    const Conveyor::Failure failure = *conveyor_.failure();
    conveyor_.drain();
    marks_sent_ = conveyor_.marks_passed();
    const auto groups = std::exchange(groups_, {});
    if (failure.error.outcome() == FANOUT_RETRY && !failure.error.sqlstate.empty())
        throw_error(failure.error, "target transaction");
    session_.execute("ROLLBACK", "cannot undo a group in the target");
    if (failure.owner == &advance_ && CursorTable::is_fenced(failure.error))
        cursor_table_.throw_fenced();
    bool first = true;
    for (const Group& group : groups) {
        write_carefully(group.batch, !first);
        if (first && failure.owner != nullptr && failure.owner != &advance_)
            plans_.regrouping_failed(*static_cast<TablePlan*>(const_cast<void*>(failure.owner)),
                                     failure.error.message);
        commit_carefully(group.place.cursor, group.notes, group.flushes);
        writes_done_ = group.writes;
        first = false;
    }
}

void Applier::write_carefully(const fanout_batch& batch, bool regroup) {
    try {
        careful_.write(batch, regroup);
    } catch (const connector::ConnectorError& error) {
        if (error.outcome() == FANOUT_REJECT) keep_what_is_done();
        throw;
    }
}

/// The host closes behind a change that is refused, and counts what is durable by then: what is
/// committed before it becomes so, if the connection will have it.
void Applier::keep_what_is_done() noexcept {
    try {
        if (careful_.roll_back()) make_durable();
    } catch (const std::exception& error) {
        session_.log(FANOUT_LOG_WARNING,
                     std::string("what was delivered last may not be counted: ") + error.what());
    }
}

void Applier::commit_carefully(const fanout_cursor& cursor, const Notes& notes,
                               std::uint64_t flushes) {
    careful_.commit(cursor_table_, cursor, done_, notes);
    schema_.forget_emptied();
    sent_ = {cursor, done_.groups + 1};
    committed(sent_, flushes);
}

void Applier::make_durable() {
    if (!durability_.pending()) return;
    const ResultPtr now = session_.query(CursorTable::positions_sql(), {},
                                         "cannot ask the target for its WAL positions");
    durability_.saw(read_lsn(now.get(), 0), read_lsn(now.get(), 1));
    if (!durability_.pending()) return;
    careful_.commit_durably(cursor_table_, done_.cursor, done_);
    sent_ = {done_.cursor, done_.groups + 1};
    committed(sent_, flushes_done_);
    durability_.all_durable();
}

/// Synchronous standbys were named since the session began: from now on they are waited for.
void Applier::wait_for_commits() {
    finish_groups();
    make_durable();
    session_.execute("SET synchronous_commit = on", "cannot set synchronous_commit in the target");
    options_.commits_ahead = false;
    standby_appeared_ = false;
}

}  // namespace fanout::postgres
