// See snapshot.hpp. The server makes one JSON text of its views; --json prints that text as it is.
#include "fanoutctl/snapshot.hpp"

#include <nlohmann/json.hpp>

namespace fanout::ctl {

const char* const kSnapshotSql =
    "SELECT jsonb_build_object("
    "'database', current_database(), 'clock', to_char(clock_timestamp(), 'HH24:MI:SS'),"
    " 'seconds', extract(epoch FROM clock_timestamp()),"
    " 'daemon_connected', EXISTS (SELECT FROM pg_catalog.pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'fanoutd'),"
    " 'streams', (SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.name), '[]')"
    " FROM fanout.streams v),"
    " 'subscriptions', (SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.name), '[]')"
    " FROM fanout.subscriptions v),"
    " 'backfills', (SELECT coalesce(jsonb_agg(to_jsonb(v)"
    " || jsonb_build_object('eta_seconds', extract(epoch FROM v.eta))"
    " ORDER BY v.subscription, v.schema_name, v.table_name), '[]') FROM fanout.backfills v))";

const char* const kCheckSql = "SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]') FROM fanout.check() c";

namespace {

using nlohmann::json;

std::string text_of(const json& row, const char* name) {
    const auto found = row.find(name);
    if (found == row.end() || found->is_null()) return "";
    return found->is_string() ? found->get<std::string>() : found->dump();
}

std::optional<double> number_of(const json& row, const char* name) {
    const auto found = row.find(name);
    if (found == row.end() || !found->is_number()) return std::nullopt;
    return found->get<double>();
}

double number_or_zero(const json& row, const char* name) {
    return number_of(row, name).value_or(0);
}

StreamRow stream_of(const json& row) {
    return {text_of(row, "name"), text_of(row, "state"), text_of(row, "error"),
            number_or_zero(row, "retained_wal_bytes"), number_of(row, "journal_bytes")};
}

SubscriptionRow subscription_of(const json& row) {
    SubscriptionRow out;
    out.name = text_of(row, "name");
    out.target = text_of(row, "target");
    out.state = text_of(row, "state");
    out.rows_delivered = number_or_zero(row, "rows_delivered");
    out.rows_dead_lettered = number_or_zero(row, "rows_dead_lettered");
    out.lag_bytes = number_or_zero(row, "lag_bytes");
    out.lag_seconds = number_or_zero(row, "lag_seconds");
    out.last_error = text_of(row, "last_error");
    out.last_error_hint = text_of(row, "last_error_hint");
    return out;
}

BackfillRow backfill_of(const json& row) {
    BackfillRow out;
    out.subscription = text_of(row, "subscription");
    out.table = text_of(row, "schema_name") + "." + text_of(row, "table_name");
    out.state = text_of(row, "state");
    out.detail = text_of(row, "detail");
    out.last_error = text_of(row, "last_error");
    out.last_error_hint = text_of(row, "last_error_hint");
    out.rows_done = number_or_zero(row, "rows_done");
    out.rows_estimate = number_of(row, "rows_estimate");
    out.percent = number_of(row, "percent");
    out.rows_per_second = number_of(row, "rows_per_second");
    out.eta_seconds = number_of(row, "eta_seconds");
    return out;
}

Status not_understood(const std::exception& error) {
    return Status::fatal(std::string("the views of pg_fanout are not as this fanoutctl expects: ") +
                         error.what() + "; use the fanoutctl of the extension's version");
}

}  // namespace

Result<Snapshot> parse_snapshot(const std::string& text) {
    try {
        const json object = json::parse(text);
        Snapshot snapshot;
        snapshot.database = text_of(object, "database");
        snapshot.clock = text_of(object, "clock");
        snapshot.seconds = number_or_zero(object, "seconds");
        snapshot.daemon_connected = object.at("daemon_connected").get<bool>();
        for (const auto& row : object.at("streams"))
            snapshot.streams.push_back(stream_of(row));
        for (const auto& row : object.at("subscriptions"))
            snapshot.subscriptions.push_back(subscription_of(row));
        for (const auto& row : object.at("backfills"))
            snapshot.backfills.push_back(backfill_of(row));
        return snapshot;
    } catch (const std::exception& error) {
        return not_understood(error);
    }
}

Result<std::vector<CheckRow>> parse_check(const std::string& text) {
    try {
        std::vector<CheckRow> rows;
        for (const auto& row : json::parse(text))
            rows.push_back({row.at("item").get<std::string>(), text_of(row, "state"),
                            text_of(row, "detail"), text_of(row, "remedy")});
        return rows;
    } catch (const std::exception& error) {
        return not_understood(error);
    }
}

void add_pace(Snapshot& now, const Snapshot& before) {
    const double passed = now.seconds - before.seconds;
    if (passed <= 0) return;
    std::map<std::string, double> delivered;
    for (const auto& row : before.subscriptions)
        delivered[row.name] = row.rows_delivered;
    for (auto& row : now.subscriptions) {
        const auto found = delivered.find(row.name);
        // Fewer than before: fanoutd was restarted and counts anew.
        if (found != delivered.end() && row.rows_delivered >= found->second)
            row.rows_per_second = (row.rows_delivered - found->second) / passed;
    }
}

}  // namespace fanout::ctl
