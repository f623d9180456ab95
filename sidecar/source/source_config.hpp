// What fanout.daemon_config() says: streams and subscriptions as plain data.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "sidecar/backfill/request.hpp"
#include "sidecar/host/option_check.hpp"
#include "sidecar/lane/on_ddl.hpp"

namespace fanout::source {

struct StreamDef {
    std::uint32_t id = 0;
    std::string name, slot;
    std::string identity;  // uuid, new at each creation of the slot
    std::uint32_t generation = 0;
    bool enabled = false;
    friend bool operator==(const StreamDef&, const StreamDef&) = default;
};

/// Changes to leave out, and who said so. Never a change of the configuration by itself: the
/// revision rises with it.
struct Skips {
    std::map<Position, std::string> positions;
    friend bool operator==(const Skips&, const Skips&) { return true; }
};

/// Dead letters to deliver. As with Skips.
struct Redrives {
    std::set<Position> positions;
    friend bool operator==(const Redrives&, const Redrives&) { return true; }
};

struct SubscriptionDef {
    std::uint32_t id = 0;
    std::string name, owner, stream;
    bool paused = false;
    bool restored = false;  // came out of a dump: rests until somebody resumes it
    bool create_tables = false;
    lane::OnDdl on_ddl = lane::OnDdl::ignore;
    bool park_rejected = false;  // on_reject = park
    Skips skips;
    Redrives redrives;
    std::uint32_t revision = 0;  // raised by whoever wants a stopped lane tried again
    Lsn start_lsn = 0;
    Lsn skip_lsn = 0;  // what a person chose to pass over, by fanout.skip()
    std::string target, connector;
    host::OptionValues options;  // of the target
    friend bool operator==(const SubscriptionDef&, const SubscriptionDef&) = default;
};

struct SourceConfig {
    std::string system_identifier;
    Oid32 database_oid = 0;
    std::string database;
    std::vector<StreamDef> streams;
    std::vector<SubscriptionDef> subscriptions;
    /// What is to be copied, by subscription. Apart from its definition: a change of it is for the
    /// running lane.
    std::map<std::uint32_t, backfill::Plan> copies;
};

/// Refuses what is not of the agreed shape, naming the member.
Result<SourceConfig> parse_source_config(const std::string& json);

}  // namespace fanout::source
