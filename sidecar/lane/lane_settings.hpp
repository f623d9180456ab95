// What a lane needs to know about its subscription. Plain data, fixed for the life of the lane: a
// changed subscription gets a new lane.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "fanout/base/ids.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/host/option_check.hpp"
#include "sidecar/lane/on_ddl.hpp"

namespace fanout::lane {

struct LaneSettings {
    std::uint32_t subscription = 0;
    std::string name;
    std::string owner;
    std::string stream_identity;
    Lsn start_lsn = 0;   // nothing that commits before it is delivered
    Lsn source_end = 0;  // of the source's WAL when the stream was attached; 0: not known
    /// What would stop the lane in transactions up to here is passed over: a person said so.
    Lsn skip_lsn = 0;
    bool create_tables = false;
    OnDdl on_ddl = OnDdl::ignore;
    std::string source;                     // connection string, for copies; empty: none are made
    bool park_rejected = false;             // what the target refuses becomes a dead letter
    std::map<Position, std::string> skips;  // what a person wants left out, and who
    std::set<Position> redrives;            // dead letters that a person wants delivered
    host::OptionValues options;             // of the target
    config::LaneLimits limits;
    /// Tables whose records in the journal name the owner as denied, but which it may read by now:
    /// they count as permitted for transactions that commit before the LSN (as far as they were
    /// kept: the worker carries a table only if somebody may read it).
    std::map<Oid32, Lsn> permitted_until;
};

/// The first LSN a lane with this cursor still needs.
inline Lsn resume_lsn(const fanout_cursor& cursor, Lsn start_lsn) {
    const Lsn behind = cursor.commit_lsn == 0 ? 0 : cursor.commit_lsn + 1;
    const Lsn from = behind > cursor.end_lsn ? behind : cursor.end_lsn;
    return from > start_lsn ? from : start_lsn;
}

}  // namespace fanout::lane
