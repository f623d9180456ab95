// The process that gets killed: writes the shop's random workload as fast as it can, for ever.
#pragma once

#include <string>

namespace fanout::contract {

/// `arguments` is JSON: directory, options, epoch. Prints the number of each flushed transaction.
/// Returns only if the connector fails.
int write_until_killed(const std::string& arguments);

}  // namespace fanout::contract
