// The statements of one table. Those for many rows take one array per parameter and apply as many
// rows as the arrays are long; those for one row take its values and start faster.
#pragma once

#include <string>
#include <vector>

#include "postgres/apply/table_plan.hpp"

namespace fanout::postgres {

/// Fills plan.many and plan.one.
void make_statements(TablePlan& plan);

/// TRUNCATE of all of them in one statement. `flags` are FANOUT_TRUNCATE_*.
std::string truncate_sql(const std::vector<const TablePlan*>& plans, unsigned flags);

}  // namespace fanout::postgres
