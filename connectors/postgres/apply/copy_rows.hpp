// COPY … FROM STDIN in binary form, for long runs of inserts: it writes whole pages at a time,
// where an INSERT looks at each row. Not in pipeline mode, so it is worth its round trips only for
// many rows, and not in between other statements.
#pragma once

#include <functional>
#include <string>

#include "postgres/apply/group_planner.hpp"

namespace fanout::postgres {

/// Whether the step's rows should and can go this way; `changes` are in the whole group.
bool worth_copying(const Step& step, std::size_t changes);

std::string copy_sql(const TablePlan& plan);
/// All the data, header and end included. `pause` is called every thousand rows or so: putting many
/// together takes longer than what the sockets hold lasts.
std::string copy_data(const Step& step, const std::function<void()>& pause);

}  // namespace fanout::postgres
