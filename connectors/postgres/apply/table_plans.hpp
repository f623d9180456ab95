// The plans of the tables a connection has met, by source table and shape.
//
// Lane's thread. Reading the catalog and making tables needs the connection for itself: callers ask
// knows() first and finish what is under way.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "postgres/apply/table_plan.hpp"
#include "postgres/link/session.hpp"
#include "postgres/target/create_tables.hpp"

namespace fanout::postgres {

class TablePlans {
  public:
    explicit TablePlans(Session& session) : session_(session) {}

    /// Forgets everything: for a new connection.
    void reset(bool create_tables, MissingTypes missing_types);
    /// Drops plans of shapes that ended, and what the target has prepared for them. Nothing under
    /// way may refer to one; the connection is free for single statements.
    void forget_retired();

    /// The table is another now, or its table in the target.
    void forget(std::uint32_t source_oid);

    /// Every table of the batch has its plan.
    bool knows(const fanout_batch& batch) const;
    /// Prepares find() for this batch; reads the catalog for what is new.
    void bind(const fanout_batch& batch);
    /// Makes the table's plan, and the table if it may.
    const TablePlan& prepare(const fanout_table& table) { return *plan_of(table); }
    TablePlan* find(const fanout_table& table) const { return bound_.at(&table); }
    /// A group with rows of the table failed, and did not fail row by row: its rows depend on each
    /// other in ways not seen here. Too often, and they are not regrouped any more, which is
    /// logged.
    void regrouping_failed(TablePlan& plan, const std::string& why);

  private:
    TablePlan* plan_of(const fanout_table& table);

    Session& session_;
    bool create_tables_ = false;
    MissingTypes missing_types_ = MissingTypes::error;
    std::unordered_map<std::uint32_t, std::shared_ptr<TablePlan>> plans_;  // by source OID
    std::vector<std::shared_ptr<TablePlan>> retired_;
    std::unordered_map<const fanout_table*, TablePlan*> bound_;  // of the current batch
};

}  // namespace fanout::postgres
