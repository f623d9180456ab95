// fanoutd: command line in, exit code out. Everything else is in app/.
#include <cstdio>
#include <exception>

#include "sidecar/app/app.hpp"
#include "sidecar/config/command_line.hpp"
#include "sidecar/fault/fault_plan.hpp"
#include "sidecar/host/connector_loader.hpp"

namespace {

int dispatch(int argc, char** argv) {
    using namespace fanout;
    const auto parsed = config::parse_command_line(argc, argv, host::default_connector_dir());
    if (const auto* leave = std::get_if<config::ExitNow>(&parsed)) {
        std::fputs(leave->text.c_str(), leave->code == 0 ? stdout : stderr);
        return leave->code;
    }
    const auto& invocation = std::get<config::Invocation>(parsed);
    switch (invocation.command) {
        case config::Command::connectors_sql:
            return app::print_connectors(invocation.config);
        case config::Command::print_config:
            return app::print_config(invocation.config);
        case config::Command::run:
            break;
    }
    return app::run(invocation);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        fanout::fault::arm_from_environment();
        return dispatch(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "fanoutd: %s\n", e.what());
        return 1;
    }
}
