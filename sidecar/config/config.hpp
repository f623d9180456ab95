// The whole configuration of fanoutd as plain structs, defaults visible.
//
// Filled by command_line.cpp, read by everybody, changed by nobody afterwards except the fields of
// `Reloadable`, which SIGHUP reads again.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "sidecar/observe/log.hpp"

namespace fanout::config {

/// What happens when the journal reaches a limit because a lane does not keep up.
enum class LimitAction {
    hold,          // stop draining: the ring fills, the slot holds WAL; nothing is lost
    needs_resync,  // give up the slowest lane (it has to be synchronised anew), keep the rest
};

/// What SIGHUP reads again while the daemon runs.
struct Reloadable {
    log::Level log_level = log::Level::info;
    std::uint64_t journal_bytes_max = 64ULL << 30;
    std::chrono::seconds journal_age_max{0};  // 0: no limit
    LimitAction journal_limit_action = LimitAction::hold;
};

struct LaneLimits {
    std::uint64_t batch_rows_max = 20'000;
    std::uint64_t batch_bytes_max = 8ULL << 20;
};

struct Config {
    std::string source;     // libpq connection string of the source database
    std::string state_dir;  // journal, cursors, lock
    std::string connector_dir;
    std::string config_file;
    log::Format log_format = log::Format::text;
    std::uint64_t journal_segment_bytes = 64ULL << 20;
    LaneLimits lane;
    Reloadable reloadable;
};

}  // namespace fanout::config
