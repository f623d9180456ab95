// Replacing a small file so that after a crash it is the old one or the new one, whole.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "fanout/base/status.hpp"

namespace fanout::state {

/// Writes the text, or its parts one after another, beside `path`, syncs, renames, syncs the
/// directory. io: nothing has changed.
Status replace_file(const std::string& path, std::span<const std::string_view> parts);
Status replace_file(const std::string& path, const std::string& text);

}  // namespace fanout::state
