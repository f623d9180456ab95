#include "postgres/apply/table_plans.hpp"

#include <utility>

#include "postgres/target/target_catalog.hpp"

namespace fanout::postgres {
namespace {

using connector::ConnectorError;
using connector::view;

constexpr unsigned kFailedRegroupingsMax = 3;

/// Calls `visit` for the tables of the batch's changes, repeatedly for most.
template <typename Visit>
void for_each_table(const fanout_batch& batch, Visit&& visit) {
    const fanout_table* last = nullptr;
    const auto once = [&](const fanout_table* table) {
        if (table == last || table == nullptr) return;
        last = table;
        visit(*table);
    };
    for (std::size_t t = 0; t < batch.transaction_count; ++t) {
        const fanout_transaction& transaction = batch.transactions[t];
        for (std::size_t i = 0; i < transaction.change_count; ++i) {
            const fanout_change& change = transaction.changes[i];
            once(change.table);
            for (std::size_t n = 0; n < change.table_count; ++n)
                once(change.tables[n]);
        }
    }
}

void warn_of_slow_tables(const Session& session, const TablePlan& plan) {
    if (plan.match_whole_row)
        session.log(FANOUT_LOG_WARNING, "table " + plan.name +
                                            " has no primary key: rows are found by all their "
                                            "columns, which is slow for large tables");
    else if (!plan.key.empty() && !plan.key_is_unique)
        session.log(FANOUT_LOG_WARNING, "table " + plan.name +
                                            " of the target has no unique index on the source's "
                                            "key: updates and deletes will be slow");
}

}  // namespace

void TablePlans::regrouping_failed(TablePlan& plan, const std::string& why) {
    if (++plan.failed_regroupings != kFailedRegroupingsMax) return;
    plan.regrouping = Regrouping::nothing;
    session_.log(FANOUT_LOG_WARNING,
                 "table " + plan.name + ": changes are applied one by one from now on, which is " +
                     "slow: together they failed " + std::to_string(kFailedRegroupingsMax) +
                     " times, last with: " + why);
}

void TablePlans::reset(bool create_tables, MissingTypes missing_types) {
    missing_types_ = missing_types;
    create_tables_ = create_tables;
    plans_.clear();
    retired_.clear();
    bound_.clear();
}

void TablePlans::forget(std::uint32_t source_oid) {
    const auto found = plans_.find(source_oid);
    if (found == plans_.end()) return;
    retired_.push_back(std::move(found->second));
    plans_.erase(found);
}

/// A target that keeps them would grow with every change of a shape, and look through all of them
/// at each. Not within a transaction, which a refusal would end.
void TablePlans::forget_retired() {
    if (retired_.empty() || PQtransactionStatus(session_.connection()) != PQTRANS_IDLE) return;
    std::string sql;
    const auto end = [&](const Statement& statement) {
        if (statement.prepared) sql += "DEALLOCATE " + statement.name + "; ";
    };
    for (const auto& plan : retired_) {
        for (const StatementSet* set : {&plan->one, &plan->many}) {
            for (const RowStatement& kind : set->by_kind) {
                end(kind.statement);
                end(kind.checked);
            }
            end(set->update_masked.statement);
            end(set->update_masked.checked);
        }
    }
    retired_.clear();
    if (!sql.empty())
        static_cast<void>(session_.attempt(sql, "cannot end what was prepared in the target"));
}

bool TablePlans::knows(const fanout_batch& batch) const {
    bool all = true;
    for_each_table(batch, [&](const fanout_table& table) {
        const auto found = plans_.find(table.oid);
        all = all && found != plans_.end() && found->second->version == table.version;
    });
    return all;
}

void TablePlans::bind(const fanout_batch& batch) {
    bound_.clear();
    for_each_table(batch, [&](const fanout_table& table) {
        if (!bound_.contains(&table)) bound_[&table] = plan_of(table);
    });
}

TablePlan* TablePlans::plan_of(const fanout_table& table) {
    if (const auto found = plans_.find(table.oid);
        found != plans_.end() && found->second->version == table.version)
        return found->second.get();
    const std::string schema(view(table.schema)), name(view(table.name));
    auto target = read_target_table(session_, schema, name);
    if (!target && create_tables_) {
        create_table(session_, table, missing_types_);
        target = read_target_table(session_, schema, name);
    }
    if (!target)
        throw ConnectorError(FANOUT_FATAL,
                             "table \"" + schema + "\".\"" + name + "\" is not in the target",
                             "Create it there, or set \"create_tables\": true in the "
                             "subscription's options.");
    auto plan = make_table_plan(table, *target);
    warn_of_slow_tables(session_, *plan);
    std::shared_ptr<TablePlan>& place = plans_[table.oid];
    if (place != nullptr) retired_.push_back(std::move(place));
    place = std::move(plan);
    return place.get();
}

}  // namespace fanout::postgres
