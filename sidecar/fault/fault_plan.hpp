// What shall happen at which fault point; see include/fanout/base/fault_point.hpp.
//
// Set by the environment at the start, for tests of a build with FANOUT_FAULT_POINTS only:
//   FANOUT_FAULTS=<name>:<n-th hit>:crash|error|sleep|hold[:<milliseconds>][;…]
//   FANOUT_FAULT_DIR=<folder>   <name>.hit appears there when a point acts; a hold ends when
//                               <name>.release is there
// A leaf: any thread may hit a point, none is owned.
#pragma once

#include <string>
#include <vector>

namespace fanout::fault {

enum class Action { crash, error, sleep, hold };

struct Fault {
    std::string name;
    unsigned long hit = 1;
    Action action = Action::crash;
    unsigned long milliseconds = 1000;
};

/// The faults of `text`; throws std::invalid_argument with the part that is wrong.
std::vector<Fault> parse_faults(const std::string& text);

/// Reads the environment. Without fault points in the build, or with nothing asked, does nothing.
void arm_from_environment();

}  // namespace fanout::fault
