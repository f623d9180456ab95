// fanoutd: command line in, exit code out. Everything else is in app/.
#include <cstdio>

#include "sidecar/config/command_line.hpp"
#include "sidecar/host/connector_loader.hpp"
#include "sidecar/host/connectors_sql.hpp"

namespace {

int print_connectors(const std::string& directory) {
    auto registry = fanout::host::ConnectorRegistry::load(directory);
    if (!registry.is_ok()) {
        std::fprintf(stderr, "fanoutd: %s\n", registry.status().text().c_str());
        return 1;
    }
    for (const auto& problem : registry.value().problems())
        std::fprintf(stderr, "fanoutd: %s\n", problem.c_str());
    std::fputs(fanout::host::connectors_sql(registry.value()).c_str(), stdout);
    return registry.value().problems().empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace fanout;
    auto parsed = config::parse_command_line(argc, argv, host::default_connector_dir());
    if (const auto* leave = std::get_if<config::ExitNow>(&parsed)) {
        std::fputs(leave->text.c_str(), leave->code == 0 ? stdout : stderr);
        return leave->code;
    }
    const auto& invocation = std::get<config::Invocation>(parsed);
    if (invocation.command == config::Command::connectors_sql)
        return print_connectors(invocation.config.connector_dir);
    return 0;
}
