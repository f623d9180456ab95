// Whole lines onto a descriptor that several lanes share and whose reader may be slow.
//
// Any thread: a lock of the process keeps the lines of one call together. A call that is stopped
// half-way leaves a torn line; the next call of any lane ends it first, so that its own lines stay
// whole. Throws ConnectorError.
#pragma once

#include <functional>
#include <string_view>

namespace fanout::stdout_target {

/// Writes all of `lines`. Looks at `stop` ten times a second while the reader is behind.
void write_lines(int descriptor, std::string_view lines, const std::function<bool()>& stop);

void check_writable(int descriptor);

}  // namespace fanout::stdout_target
