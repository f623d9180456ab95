// Builds the daemon, runs it, takes it down in the right order. No record logic.
//
// The main thread sleeps on signals, the control thread's end and the service manager's watchdog.
#pragma once

#include "sidecar/config/command_line.hpp"

namespace fanout::app {

/// Until SIGTERM or a failure that ends the daemon; the exit code.
int run(const config::Invocation& invocation);

/// The settings in force, without secrets, on stdout.
int print_config(const config::Config& config);

/// The SQL that registers the connectors found, on stdout.
int print_connectors(const config::Config& config);

}  // namespace fanout::app
