// See app.hpp.
#include "sidecar/app/app.hpp"

#include <poll.h>
#include <systemd/sd-daemon.h>

#include <array>
#include <cstdio>
#include <thread>

#include "fanout/base/fault_point.hpp"
#include "sidecar/app/signals.hpp"
#include "sidecar/control/control_loop.hpp"
#include "sidecar/host/connectors_sql.hpp"
#include "sidecar/observe/log.hpp"
#include "sidecar/source/source_connection.hpp"
#include "sidecar/state/state_dir.hpp"

namespace fanout::app {
namespace {

constexpr int kExitUnusable = 78;  // EX_CONFIG: starting again does not help
constexpr int kExitDisk = 74;      // EX_IOERR: starting again decodes the rest anew

int exit_code(const Status& status) {
    if (status.is_ok()) return 0;
    return status.kind() == StatusKind::io ? kExitDisk : kExitUnusable;
}

/// Half the service manager's patience; -1 (for ever) if it has not asked for a sign of life.
int watchdog_interval_ms() {
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(0, &microseconds) <= 0) return -1;
    return static_cast<int>(microseconds / 2000);
}

void reload(const config::Invocation& invocation, control::ControlLoop& control) {
    const auto again = config::reload(invocation.config, invocation.flags);
    if (!again.is_ok()) {
        log::error("settings not reloaded, the old ones stay", {{"error", again.status().text()}});
        return;
    }
    log::set_level(again.value().log_level);
    FANOUT_FAULT_HERE("app.reloading");
    control.reload(again.value());
    log::info("settings reloaded");
}

/// Main thread, until the control thread has ended.
void watch(const config::Invocation& invocation, Signals& signals, control::ControlLoop& control,
           int ended_fd) {
    const int patience = watchdog_interval_ms();
    for (;;) {
        std::array<pollfd, 2> fds{{{signals.fd(), POLLIN, 0}, {ended_fd, POLLIN, 0}}};
        static_cast<void>(::poll(fds.data(), fds.size(), patience));
        if (patience > 0) sd_notify(0, "WATCHDOG=1");
        if (fds[1].revents != 0) return;
        while (const auto signal = signals.take()) {
            if (*signal == Signal::reload) {
                reload(invocation, control);
                continue;
            }
            log::info("stopping");
            FANOUT_FAULT_HERE("app.stopping");
            sd_notify(0, "STOPPING=1");
            control.request_stop();
        }
    }
}

}  // namespace

int run(const config::Invocation& invocation) {
    const auto& config = invocation.config;
    log::start(config.log_format, config.reloadable.log_level);
    Signals signals;
    auto connectors = host::ConnectorRegistry::load(config.connector_dir);
    if (!connectors.is_ok()) {
        log::error("cannot start", {{"error", connectors.status().text()}});
        return kExitUnusable;
    }
    for (const auto& problem : connectors.value().problems())
        log::warning("connector left out", {{"error", problem}});
    auto state = state::StateDir::open(config.state_dir);
    if (!state.is_ok()) {
        log::error("cannot start", {{"error", state.status().text()}});
        return kExitUnusable;
    }
    control::ControlLoop control(config, connectors.value(), state.value());
    log::info("fanoutd started", {{"source", source::redacted_conninfo(config.source)},
                                  {"state_dir", config.state_dir},
                                  {"connectors", connectors.value().names()}});
    sd_notify(0, "READY=1");
    const source::WakeFd ended;
    Status status;
    std::thread thread([&] {
        status = control.run();
        ended.ring();
    });
    watch(invocation, signals, control, ended.fd());
    thread.join();
    if (status.is_ok()) {
        log::info("stopped");
    } else {
        log::error("ended", {{"error", status.text()}});
    }
    return exit_code(status);
}

int print_config(const config::Config& config) {
    const std::string source =
        config.source.empty() ? "" : source::redacted_conninfo(config.source);
    std::fputs(config::config_as_file(config, source).c_str(), stdout);
    return 0;
}

int print_connectors(const config::Config& config) {
    auto registry = host::ConnectorRegistry::load(config.connector_dir);
    if (!registry.is_ok()) {
        std::fprintf(stderr, "fanoutd: %s\n", registry.status().text().c_str());
        return 1;
    }
    for (const auto& problem : registry.value().problems())
        std::fprintf(stderr, "fanoutd: %s\n", problem.c_str());
    std::fputs(host::connectors_sql(registry.value()).c_str(), stdout);
    return registry.value().problems().empty() ? 0 : 1;
}

}  // namespace fanout::app
