// fanoutctl: what pg_fanout does in a database, on the command line.
#include <cstdio>

#include "fanoutctl/commands.hpp"

int main(int argc, char** argv) {
    const auto parsed = fanout::ctl::parse_command_line(argc, argv);
    if (const auto* exit_now = std::get_if<fanout::ctl::ExitNow>(&parsed)) {
        std::fputs(exit_now->text.c_str(), exit_now->status == 0 ? stdout : stderr);
        return exit_now->status;
    }
    return fanout::ctl::run(std::get<fanout::ctl::Invocation>(parsed));
}
