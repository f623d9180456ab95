// What the views of pg_fanout say at one moment, as plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fanout/base/status.hpp"

namespace fanout::ctl {

struct StreamRow {
    std::string name, state, error;
    double retained_wal_bytes = 0;
    std::optional<double> journal_bytes;
};

struct SubscriptionRow {
    std::string name, target, state, last_error, last_error_hint;
    double rows_delivered = 0, lag_bytes = 0, lag_seconds = 0, rows_dead_lettered = 0;
    std::optional<double> rows_per_second;  // known once there are two snapshots
};

struct BackfillRow {
    std::string subscription, table, state, detail, last_error, last_error_hint;
    double rows_done = 0;
    std::optional<double> rows_estimate, percent, rows_per_second, eta_seconds;
};

struct CheckRow {
    std::string item, state, detail, remedy;
};

struct Snapshot {
    std::string database;
    std::string clock;   // of the server, HH:MM:SS
    double seconds = 0;  // the same, for differences
    bool daemon_connected = false;
    std::vector<StreamRow> streams;
    std::vector<SubscriptionRow> subscriptions;
    std::vector<BackfillRow> backfills;
};

/// The one statement whose result parse_snapshot() takes.
extern const char* const kSnapshotSql;
Result<Snapshot> parse_snapshot(const std::string& json);

extern const char* const kCheckSql;
Result<std::vector<CheckRow>> parse_check(const std::string& json);

/// Fills in the pace of the subscriptions since an earlier snapshot.
void add_pace(Snapshot& now, const Snapshot& before);

}  // namespace fanout::ctl
