// The array statements of one table. Every statement takes one array per parameter and applies as
// many rows as the arrays are long; one row is an array of one.
#pragma once

#include <string>
#include <vector>

#include "postgres/apply/table_plan.hpp"

namespace fanout::postgres {

/// Fills plan.statements and plan.update_masked.
void make_statements(TablePlan& plan);

/// TRUNCATE of all of them in one statement. `flags` are FANOUT_TRUNCATE_*.
std::string truncate_sql(const std::vector<const TablePlan*>& plans, unsigned flags);

}  // namespace fanout::postgres
