// What each command does. Returns the exit status.
#pragma once

#include "fanoutctl/command_line.hpp"

namespace fanout::ctl {

int run(const Invocation& invocation);

}  // namespace fanout::ctl
