// Folding keeps, per key, whether the row was there before the group and its last image. Runs keep
// source order and end where a statement could see two changes of one row.
#include "postgres/apply/group_planner.hpp"

#include <algorithm>

#include "fanout/connector/connector.hpp"

namespace fanout::postgres {
namespace {

using connector::ConnectorError;

void append_value(std::string& out, const fanout_value& value) {
    out += static_cast<char>(value.state);
    if (value.state != FANOUT_PRESENT) return;
    out.append(reinterpret_cast<const char*>(&value.size), sizeof value.size);
    out.append(reinterpret_cast<const char*>(value.data), value.size);
}

std::string row_bytes(const TablePlan& plan, const fanout_value* image) {
    std::string out;
    for (const PlanColumn& column : plan.columns)
        append_value(out, image[column.source]);
    return out;
}

bool has_unchanged(const TablePlan& plan, const fanout_value* image) {
    return std::any_of(plan.columns.begin(), plan.columns.end(), [&](const PlanColumn& column) {
        return image[column.source].state == FANOUT_UNCHANGED;
    });
}

bool key_is_always_identity(const TablePlan& plan) {
    return std::any_of(plan.columns.begin(), plan.columns.end(), [](const PlanColumn& column) {
        return column.key && column.always_identity;
    });
}

// Whether an UPDATE can set everything an INSERT can.
bool update_sets_all(const TablePlan& plan) {
    return std::all_of(plan.columns.begin(), plan.columns.end(), [](const PlanColumn& column) {
        return column.key || !column.writable || column.updatable;
    });
}

}  // namespace

std::string key_bytes(const TablePlan& plan, const fanout_value* image) {
    std::string out;
    for (const std::size_t i : plan.key)
        append_value(out, image[i]);
    return out;
}

const std::vector<Step>& GroupPlanner::plan(const fanout_batch& batch, bool regroup) {
    clear();
    for (std::size_t t = 0; t < batch.transaction_count; ++t) {
        const fanout_transaction& transaction = batch.transactions[t];
        for (std::size_t i = 0; i < transaction.change_count; ++i) {
            const fanout_change& change = transaction.changes[i];
            take(change, {transaction.commit_lsn, change.index}, regroup);
        }
    }
    close_all();
    return steps_;
}

void GroupPlanner::clear() {
    steps_.clear();
    tables_.clear();
    by_plan_.clear();
    images_.clear();
    last_table_ = nullptr;
    last_ = dependent_ = nullptr;
}

GroupPlanner::Collected& GroupPlanner::collected(const fanout_table& table) {
    if (&table == last_table_) return *last_;
    TablePlan* plan = lookup_(table);
    Collected*& found = by_plan_[plan];
    if (found == nullptr) {
        tables_.emplace_back();
        found = &tables_.back();
        found->plan = plan;
    }
    last_table_ = &table;
    last_ = found;
    return *found;
}

void GroupPlanner::take(const fanout_change& change, Position at, bool regroup) {
    if (change.op == FANOUT_MESSAGE) return;
    if (change.op == FANOUT_TRUNCATE) {
        take_truncate(change, at);
        return;
    }
    Collected& table = collected(*change.table);
    const PlannedRow row{change.before_kind == FANOUT_BEFORE_NONE ? change.after : change.before,
                         change.after, at};
    if ((change.flags & FANOUT_CHANGE_LENIENT) != 0)
        take_lenient(table, change, row, regroup);
    else
        take_row(table, change, row, regroup);
}

void GroupPlanner::take_truncate(const fanout_change& change, Position at) {
    close_all();
    Step step;
    for (std::size_t i = 0; i < change.table_count; ++i)
        step.truncated.push_back(lookup_(*change.tables[i]));
    step.truncate_flags = change.flags;
    step.at = at;
    if (!step.truncated.empty()) steps_.push_back(std::move(step));
}

StepKind GroupPlanner::kind_of(const TablePlan& plan, const fanout_change& change,
                               Position at) const {
    if (change.op == FANOUT_INSERT || change.op == FANOUT_READ) return StepKind::insert;
    if (plan.match_whole_row && change.before_kind == FANOUT_BEFORE_FULL)
        return change.op == FANOUT_UPDATE ? StepKind::update_match : StepKind::remove_match;
    if (plan.key.empty() || (change.op == FANOUT_DELETE && change.before == nullptr))
        throw ConnectorError(
            FANOUT_REJECT, "table " + plan.name + ": an update or delete came without a key",
            "Give the table a primary key or a replica identity in the source.", at);
    if (change.op == FANOUT_DELETE) return StepKind::remove;
    if (change.before_kind == FANOUT_BEFORE_NONE ||
        key_bytes(plan, change.before) == key_bytes(plan, change.after))
        return StepKind::update;
    return StepKind::update_key;
}

void GroupPlanner::take_row(Collected& table, const fanout_change& change, const PlannedRow& given,
                            bool regroup) {
    TablePlan& plan = *table.plan;
    const StepKind kind = kind_of(plan, change, given.at);
    PlannedRow row = given;
    // The old row is complete here, so nothing needs to stay unknown in the new one.
    if (kind == StepKind::update_match) row.new_image = merged(plan, row.new_image, row.old_image);
    const Regrouping regrouping = regroup ? plan.regrouping : Regrouping::nothing;
    if (!plan.independent && dependent_ != &table) {
        if (dependent_ != nullptr) close(*dependent_);
        dependent_ = &table;
    }
    if (regrouping == Regrouping::folded && fold(table, kind, row)) return;
    if (regrouping == Regrouping::runs && kind != StepKind::update_key) {
        add_to_run(table, kind, row);
        return;
    }
    close(table);
    add_alone(plan, kind, row);
}

void GroupPlanner::add_alone(TablePlan& plan, StepKind kind, const PlannedRow& row) {
    const auto push = [&](StepKind as) {
        Step step;
        step.kind = as;
        step.plan = &plan;
        step.rows.push_back(row);
        steps_.push_back(std::move(step));
    };
    if (kind != StepKind::update_key || !key_is_always_identity(plan)) {
        push(kind);
        return;
    }
    // Such a column can be given to an INSERT, but not set by an UPDATE.
    if (has_unchanged(plan, row.new_image))
        throw ConnectorError(FANOUT_REJECT,
                             "table " + plan.name +
                                 ": a key GENERATED ALWAYS AS IDENTITY changed in a row with a "
                                 "TOASTed value that did not",
                             "Make the target's column GENERATED BY DEFAULT.", row.at);
    push(StepKind::remove);
    push(StepKind::insert);
}

bool GroupPlanner::hazard(Collected& table, StepKind kind, const PlannedRow& row, bool lenient) {
    switch (kind) {
        case StepKind::insert:
            return lenient && !table.run_keys.insert(key_bytes(*table.plan, row.new_image)).second;
        case StepKind::update_match:
        case StepKind::remove_match: {
            // A row that this run made must not be looked for in the same run.
            const bool seen = table.run_keys.contains(row_bytes(*table.plan, row.old_image));
            if (!seen && kind == StepKind::update_match)
                table.run_keys.insert(row_bytes(*table.plan, row.new_image));
            return seen;
        }
        default:
            return !table.run_keys.insert(key_bytes(*table.plan, row.old_image)).second;
    }
}

void GroupPlanner::add_to_run(Collected& table, StepKind kind, const PlannedRow& row,
                              bool lenient) {
    const bool other =
        table.run.rows.empty() || table.run.kind != kind || table.run.lenient != lenient;
    if (other || !table.states.empty() || hazard(table, kind, row, lenient)) {
        close(table);
        hazard(table, kind, row, lenient);
    }
    table.run.kind = kind;
    table.run.lenient = lenient;
    table.run.plan = table.plan;
    table.run.rows.push_back(row);
}

// Rows that may be there already, or not yet: never folded, because nobody knows what was before.
void GroupPlanner::take_lenient(Collected& table, const fanout_change& change,
                                const PlannedRow& row, bool regroup) {
    const StepKind kind = kind_of(*table.plan, change, row.at);
    if (!table.plan->independent && dependent_ != &table) {
        if (dependent_ != nullptr) close(*dependent_);
        dependent_ = &table;
    }
    if (!regroup || table.plan->regrouping == Regrouping::nothing || kind == StepKind::update_key)
        close(table);
    add_to_run(table, kind, row, true);
}

// A row that may be there already is removed first.
void GroupPlanner::push_run(Step run) {
    if (run.lenient && run.kind == StepKind::insert) {
        Step removes;
        removes.kind = StepKind::remove;
        removes.plan = run.plan;
        removes.lenient = true;
        for (const PlannedRow& row : run.rows)
            removes.rows.push_back({row.new_image, nullptr, row.at});
        if (!run.plan->key.empty()) steps_.push_back(std::move(removes));
        run.lenient = false;
    }
    steps_.push_back(std::move(run));
}

bool GroupPlanner::fold(Collected& table, StepKind kind, const PlannedRow& row) {
    switch (kind) {
        case StepKind::insert:
            return fold_insert(table, row);
        case StepKind::update:
            return fold_update(table, row);
        case StepKind::update_key:
            return fold_update_key(table, row);
        case StepKind::remove:
            return fold_remove(table, row);
        default:
            return false;
    }
}

// As long as there are only inserts nobody has asked for a key: their keys differ, as the source's
// did, and a table that is only inserted into is never indexed.
void GroupPlanner::index(Collected& table) {
    table.indexed = true;
    table.by_key.reserve(table.states.size() + 1);
    for (std::size_t i = 0; i < table.states.size(); ++i)
        table.by_key.emplace(key_bytes(*table.plan, table.states[i].row.new_image), i);
}

GroupPlanner::KeyState* GroupPlanner::find(Collected& table, const std::string& key) {
    if (!table.indexed) index(table);
    const auto found = table.by_key.find(key);
    return found == table.by_key.end() ? nullptr : &table.states[found->second];
}

GroupPlanner::KeyState& GroupPlanner::add(Collected& table, const std::string& key) {
    table.by_key.emplace(key, table.states.size());
    return table.states.emplace_back();
}

bool GroupPlanner::fold_insert(Collected& table, const PlannedRow& row) {
    if (!table.indexed) {
        table.states.push_back({false, true, row});
        return true;
    }
    const std::string key = key_bytes(*table.plan, row.new_image);
    KeyState* state = find(table, key);
    if (state == nullptr) {
        add(table, key) = {false, true, row};
        return true;
    }
    if (state->present) return false;
    // Delete and insert become one update only if it can make the row the insert would have made.
    if (state->existed && (table.plan->extra_columns || !update_sets_all(*table.plan)))
        return false;
    state->present = true;
    state->row = {row.new_image, row.new_image, row.at};
    return true;
}

bool GroupPlanner::fold_update(Collected& table, const PlannedRow& row) {
    const std::string key = key_bytes(*table.plan, row.old_image);
    KeyState* state = find(table, key);
    if (state == nullptr) {
        add(table, key) = {true, true, row};
        return true;
    }
    if (!state->present) return false;
    state->row.new_image = merged(*table.plan, row.new_image, state->row.new_image);
    state->row.at = row.at;
    return true;
}

bool GroupPlanner::fold_update_key(Collected& table, const PlannedRow& row) {
    const TablePlan& plan = *table.plan;
    if (plan.extra_columns || !update_sets_all(plan)) return false;
    const std::string old_key = key_bytes(plan, row.old_image);
    const std::string new_key = key_bytes(plan, row.new_image);
    const KeyState* from = find(table, old_key);
    const KeyState* to = find(table, new_key);
    if ((from != nullptr && !from->present) || (to != nullptr && to->present)) return false;
    const fanout_value* image =
        from == nullptr ? row.new_image : merged(plan, row.new_image, from->row.new_image);
    if (has_unchanged(plan, image)) return false;
    return fold_remove(table, row) && fold_insert(table, {image, image, row.at});
}

bool GroupPlanner::fold_remove(Collected& table, const PlannedRow& row) {
    const std::string key = key_bytes(*table.plan, row.old_image);
    KeyState* state = find(table, key);
    if (state == nullptr) {
        add(table, key) = {true, false, {row.old_image, nullptr, row.at}};
        return true;
    }
    if (!state->present) return false;
    state->present = false;
    state->row = {row.old_image, nullptr, row.at};
    return true;
}

// `newer`, with what it leaves unchanged taken from `older` as far as that knows it.
const fanout_value* GroupPlanner::merged(const TablePlan& plan, const fanout_value* newer,
                                         const fanout_value* older) {
    if (!has_unchanged(plan, newer)) return newer;
    auto& image = images_.emplace_back(newer, newer + plan.source_columns);
    for (std::size_t i = 0; i < image.size(); ++i)
        if (image[i].state == FANOUT_UNCHANGED && older[i].state != FANOUT_ABSENT)
            image[i] = older[i];
    return image.data();
}

void GroupPlanner::close(Collected& table) {
    if (!table.run.rows.empty()) {
        push_run(std::move(table.run));
        table.run = Step();
    }
    table.run_keys.clear();
    close_states(table);
}

// Deletes first and inserts last: a key that moves never collides with the one that leaves it.
void GroupPlanner::close_states(Collected& table) {
    Step removes, updates, inserts;
    removes.kind = StepKind::remove;
    updates.kind = StepKind::update;
    inserts.kind = StepKind::insert;
    for (const KeyState& state : table.states) {
        if (state.existed)
            (state.present ? updates : removes).rows.push_back(state.row);
        else if (state.present)
            inserts.rows.push_back(state.row);
    }
    for (Step* step : {&removes, &updates, &inserts}) {
        if (step->rows.empty()) continue;
        step->plan = table.plan;
        steps_.push_back(std::move(*step));
    }
    table.states.clear();
    table.by_key.clear();
    table.indexed = false;
}

void GroupPlanner::close_all() {
    for (Collected& table : tables_)
        close(table);
    dependent_ = nullptr;
}

}  // namespace fanout::postgres
