// The table of settings: one row makes the flag, the environment variable, the line of the
// configuration file, the help and the print-out.
//
// Precedence: flag, then environment (FANOUT_STATE_DIR …), then file. Every refusal says where the
// value came from. No thread; called at start and for SIGHUP.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fanout/base/status.hpp"
#include "sidecar/config/config.hpp"

namespace fanout::config {

struct Setting {
    const char* name;        // as in the file: state_dir; the flag is --state-dir
    const char* value_name;  // for the help
    const char* help;
    bool reloadable;  // SIGHUP reads it again
    /// Empty on success, else what is allowed.
    std::string (*set)(Config& config, const std::string& text);
    std::string (*show)(const Config& config);
};

const std::vector<Setting>& settings();

/// A value and where it was found, for messages.
struct Given {
    std::string text;
    std::string origin;  // "--state-dir", "FANOUT_STATE_DIR", "/etc/x.conf:12"
};
using GivenValues = std::map<std::string, Given>;  // by Setting::name

/// `key = value` lines, `#` comments, values optionally in double quotes.
Result<GivenValues> read_config_file(const std::string& path);
GivenValues read_environment();

/// Later arguments win over earlier ones.
Result<Config> build_config(const std::vector<GivenValues>& sources);

/// What SIGHUP does: the reloadable settings again, by the same precedence as at start.
Result<Reloadable> reload(const Config& running, const GivenValues& flags);

std::string flag_name(const Setting& setting);
std::string environment_name(const Setting& setting);

}  // namespace fanout::config
