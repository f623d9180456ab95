// Replacing a small file so that after a crash it is the old one or the new one, whole.
#pragma once

#include <string>

#include "fanout/base/status.hpp"

namespace fanout::state {

/// Writes `text` beside `path`, syncs, renames, syncs the directory. io: nothing has changed.
Status replace_file(const std::string& path, const std::string& text);

}  // namespace fanout::state
