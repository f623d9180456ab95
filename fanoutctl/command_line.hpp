// fanoutctl's command line.
#pragma once

#include <string>
#include <variant>

namespace fanout::ctl {

enum class Command { status, watch, check };

struct Invocation {
    Command command = Command::status;
    std::string source;  // libpq's connection string; empty: libpq's defaults
    bool json = false;   // status, check
    bool all = false;    // status: complete backfills, too
    bool once = false;   // watch
    bool color = true;
    double interval_seconds = 1;
};

/// Nothing to run: print `text` and end.
struct ExitNow {
    int status = 0;
    std::string text;
};

constexpr int kExitTrouble = 1, kExitUsage = 2, kExitNoAnswer = 3;

std::variant<Invocation, ExitNow> parse_command_line(int argc, char** argv);

}  // namespace fanout::ctl
