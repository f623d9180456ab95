// COPY … FROM STDIN in binary form, for long runs of inserts: it writes whole pages at a time,
// where an INSERT looks at each row. Not in pipeline mode, so it is worth a round trip only for
// many rows.
#pragma once

#include <optional>

#include "postgres/apply/group_planner.hpp"
#include "postgres/link/pipeline.hpp"

namespace fanout::postgres {

/// Whether the step's rows should and can go this way.
bool worth_copying(const Step& step);

/// Sends the rows in the open transaction. The failure, if any, has `tag`.
std::optional<PipelineFailure> copy_rows(Session& session, const Step& step, std::size_t tag);

}  // namespace fanout::postgres
