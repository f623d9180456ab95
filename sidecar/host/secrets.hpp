// References to secrets inside option values: ${env:NAME}, ${file:path}, ${credential:name}.
//
// They are resolved here and nowhere else, as late as possible (when a lane starts), so that a
// rotated secret is seen by the next start. A resolved text is never logged or reported.
#pragma once

#include <string>
#include <string_view>

#include "fanout/base/status.hpp"

namespace fanout::host {

/// Replaces every reference in `text`; "$${" stands for a literal "${". The message of a failure
/// names the reference, never a content.
Result<std::string> resolve_references(std::string_view text);

/// True if `text` consists of one reference and nothing else.
bool is_reference(std::string_view text);

}  // namespace fanout::host
