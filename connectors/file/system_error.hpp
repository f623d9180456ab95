// errno of a file operation → what the host should do about it, with the operator's sentence.
//
// Any thread, no state.
#pragma once

#include <string>

namespace fanout::file_target {

/// Throws ConnectorError: a full or failing disk may recover, a missing directory or a missing
/// right needs a person.
[[noreturn]] void throw_system_error(const std::string& doing, const std::string& path, int error);

}  // namespace fanout::file_target
