// Flags, environment and file become one Config, or a reason to exit. The only user of CLI11.
#pragma once

#include <string>
#include <variant>

#include "sidecar/config/settings.hpp"

namespace fanout::config {

/// What the command line asks for.
enum class Command { run, print_config, connectors_sql };

struct Invocation {
    Command command = Command::run;
    Config config;
    GivenValues flags;  // kept for SIGHUP
};

/// `text` goes to stdout if code is 0, else to stderr.
struct ExitNow {
    int code;
    std::string text;
};

/// `default_connector_dir` is used where nothing names one.
std::variant<Invocation, ExitNow> parse_command_line(int argc, char** argv,
                                                     const std::string& default_connector_dir);

/// The settings in force as a configuration file; `source` as given by the caller (redacted).
std::string config_as_file(const Config& config, const std::string& source);

/// Exit code of a wrong invocation or configuration (EX_USAGE).
inline constexpr int kExitUsage = 64;

}  // namespace fanout::config
