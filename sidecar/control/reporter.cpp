// See reporter.hpp.
#include "sidecar/control/reporter.hpp"

#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "fanout/base/lsn_text.hpp"

namespace fanout::control {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kProgressInterval = 250ms;

std::string time_text(std::int64_t unix_microseconds) {
    const std::time_t seconds = static_cast<std::time_t>(unix_microseconds / 1'000'000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}+00", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                       unix_microseconds % 1'000'000);
}

json error_time(std::chrono::system_clock::time_point at) {
    const auto since = std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch());
    return since.count() == 0 ? json(nullptr) : json(time_text(since.count()));
}

json text_or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

json tables_of(const lane::LaneSnapshot& snapshot) {
    json tables = json::array();
    for (const auto& table : snapshot.tables) {
        tables.push_back({{"oid", table.oid},
                          {"schema", table.schema},
                          {"name", table.name},
                          {"identity", std::string(1, table.identity)},
                          {"rows_delivered", table.rows_delivered}});
    }
    return tables;
}

json time_or_null(std::chrono::system_clock::time_point at) {
    return error_time(at);
}

json estimate(double number) {
    return number < 0 ? json(nullptr) : json(static_cast<std::uint64_t>(number));
}

json copy_json(const backfill::Report& r) {
    return {{"table", r.request.table},
            {"schema", r.request.schema},
            {"name", r.request.name},
            {"generation", r.request.generation},
            {"state", r.state},
            {"mode", r.mode},
            {"rows", r.rows},
            {"bytes", r.bytes},
            {"rows_estimate", estimate(r.rows_estimate)},
            {"bytes_estimate", estimate(r.bytes_estimate)},
            {"chunks", r.chunks},
            {"retries", r.retries},
            {"started_at", time_or_null(r.started_at)},
            {"finished_at", time_or_null(r.finished_at)},
            {"snapshot_held_seconds",
             r.snapshot_held_seconds < 0 ? json(nullptr) : json(r.snapshot_held_seconds)},
            {"detail", text_or_null(r.detail)},
            {"last_error", text_or_null(r.last_error)},
            {"last_error_hint", text_or_null(r.last_error_hint)}};
}

json subscription_json(std::uint32_t id, const lane::LaneSnapshot& s) {
    json out{{"id", id},
             {"state", lane::state_name(s.state)},
             {"caught_up", s.caught_up},
             {"rows_read", s.rows_read},
             {"rows_delivered", s.rows_delivered},
             {"rows_filtered", s.rows_filtered},
             {"rows_dead_lettered", s.rows_dead_lettered},
             {"transactions", s.transactions},
             {"retries", s.retries},
             {"last_error", text_or_null(s.last_error)},
             {"last_error_hint", text_or_null(s.last_error_hint)},
             {"last_error_at", error_time(s.last_error_at)}};
    if (s.cursor.end_lsn != 0) out["cursor_end_lsn"] = lsn_text(s.cursor.end_lsn);
    if (s.cursor.commit_lsn != 0) {
        out["cursor_lsn"] = lsn_text(s.cursor.commit_lsn);
        out["cursor_time"] =
            time_text(s.cursor.commit_time + kPgEpochOffsetSeconds * std::int64_t{1'000'000});
    }
    out["stopped_lsn"] = s.stopped_lsn == 0 ? json(nullptr) : json(lsn_text(s.stopped_lsn));
    if (!s.tables.empty()) out["tables"] = tables_of(s);
    return out;
}

json letters_json(const std::vector<letters::Letter>& letters) {
    json out = json::array();
    for (const auto& letter : letters) {
        out.push_back({{"commit_lsn", lsn_text(letter.at.commit_lsn)},
                       {"index", letter.at.index},
                       {"state", letters::state_name(letter.state)},
                       {"schema_name", text_or_null(letter.schema_name)},
                       {"table_name", text_or_null(letter.table_name)},
                       {"operation", letter.operation},
                       {"error", text_or_null(letter.error)},
                       {"hint", text_or_null(letter.hint)},
                       {"attempts", letter.attempts},
                       {"commit_time", time_text(letter.commit_time +
                                                 kPgEpochOffsetSeconds * std::int64_t{1'000'000})},
                       {"parked_at", time_text(letter.parked_at)}});
        if (letter.superseded_by.commit_lsn != 0)
            out.back()["superseded_by"] = lsn_text(letter.superseded_by.commit_lsn);
    }
    return out;
}

stream::StreamSnapshot stream_now(const Reconciler::StreamEntry& entry) {
    if (entry.runtime) return entry.runtime->snapshot();
    return {stream::StreamState::failed, entry.open_error, 0};
}

json stream_json(std::uint32_t id, const Reconciler::StreamEntry& entry,
                 const stream::StreamSnapshot& now) {
    json out{{"id", id},
             {"state", stream::state_name(now.state)},
             {"error", text_or_null(now.error)},
             {"worker_pid", now.worker_pid == 0 ? json(nullptr) : json(now.worker_pid)}};
    if (entry.runtime) {
        auto& journal = entry.runtime->journal();
        out["journal_bytes"] = journal.bytes();
        out["journal_first_lsn"] = lsn_text(journal.first_lsn());
        out["journal_durable_lsn"] = lsn_text(journal.durable_end_lsn());
    }
    return out;
}

/// What a subscription is to the outside: a lane that has delivered all there is of a stream that
/// cannot go on has failed with it.
lane::LaneSnapshot outside_view(const Reconciler::SubscriptionEntry& entry,
                                const stream::StreamSnapshot& stream) {
    auto snapshot = entry.lane ? entry.lane->outbox().snapshot() : entry.resting;
    const bool waits = snapshot.state == lane::LaneState::starting ||
                       (snapshot.state == lane::LaneState::streaming && snapshot.waiting);
    if (stream.state != stream::StreamState::failed || !waits) return snapshot;
    snapshot.state = lane::LaneState::failed;
    snapshot.caught_up = false;
    snapshot.last_error = "stream " + entry.def.stream + ": " + stream.error;
    snapshot.last_error_at = std::chrono::system_clock::now();
    return snapshot;
}

}  // namespace

void Reporter::begin_session() {
    everything_ = connectors_due_ = true;
    note(true);
}

void Reporter::note(bool urgent) {
    const auto now = Clock::now();
    due_at_ = std::min(due_at_, urgent ? now : now + kProgressInterval);
}

/// Streams that differ from what was told last; the subscriptions of one that failed or recovered
/// are due with it.
void Reporter::look_at_streams() {
    for (const auto& [id, entry] : reconciler_.streams()) {
        const auto now = stream_now(entry);
        auto& seen = streams_seen_[id];
        if (seen.now == now && !everything_) continue;
        const bool failed = now.state == stream::StreamState::failed;
        const bool failed_before = seen.now.state == stream::StreamState::failed;
        seen = {now, true};
        if (failed == failed_before) continue;
        for (auto& [subscription, lane] : reconciler_.subscriptions())
            if (lane.def.stream == entry.def.name) lane.report_due = true;
    }
}

stream::StreamSnapshot Reporter::stream_of(const Reconciler::SubscriptionEntry& entry) const {
    for (const auto& [id, stream] : reconciler_.streams())
        if (stream.def.name == entry.def.stream) return stream_now(stream);
    return {};
}

/// Those that differ from what was told last.
json Reporter::changed_copies(std::uint32_t subscription, const lane::LaneSnapshot& view) {
    json changed = json::array();
    for (const auto& report : view.backfills) {
        auto entry = copy_json(report);
        std::string text = entry.dump(-1, ' ', false, json::error_handler_t::replace);
        auto& told = copies_told_[{subscription, report.request.table}];
        if (told == text && !everything_) continue;
        told = std::move(text);
        changed.push_back(std::move(entry));
    }
    return changed;
}

/// Empty if there is nothing to tell.
std::string Reporter::build() {
    json report{{"daemon", daemon_}};
    json subscriptions = json::array(), streams = json::array();
    letters_told_.clear();
    look_at_streams();
    for (auto& [id, entry] : reconciler_.subscriptions()) {
        const bool news = entry.lane && entry.lane->outbox().take_events().any;
        if (!everything_ && !news && !entry.report_due) continue;
        entry.report_due = false;
        if (entry.def.restored) continue;  // the catalog itself says so
        const auto view = outside_view(entry, stream_of(entry));
        subscriptions.push_back(subscription_json(id, view));
        if (auto copies = changed_copies(id, view); !copies.empty())
            subscriptions.back()["backfills"] = std::move(copies);
        if (!entry.lane) continue;
        auto& version = letters_told_[id] = everything_ ? 0 : entry.letters_reported;
        const auto letters = entry.lane->dead_letters().changed_since(version);
        if (!letters.empty()) subscriptions.back()["dead_letters"] = letters_json(letters);
    }
    for (const auto& [id, entry] : reconciler_.streams()) {
        auto& seen = streams_seen_[id];
        // Sizes travel along with other news; alone they are not worth a report.
        if (!seen.due && subscriptions.empty()) continue;
        seen.due = false;
        streams.push_back(stream_json(id, entry, seen.now));
    }
    if (connectors_due_) report["connectors"] = json::parse(connectors_json_);
    if (subscriptions.empty() && streams.empty() && !connectors_due_) return {};
    report["subscriptions"] = std::move(subscriptions);
    report["streams"] = std::move(streams);
    return report.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool Reporter::send(source::SourceConnection& connection, std::string& problem) {
    due_at_ = Clock::time_point::max();
    const std::string text = build();
    if (text.empty()) return true;
    const auto result = connection.query("SELECT fanout.report($1::jsonb)", {text});
    if (result.ok()) {
        everything_ = connectors_due_ = false;
        for (const auto& [id, version] : letters_told_)
            if (const auto entry = reconciler_.subscriptions().find(id);
                entry != reconciler_.subscriptions().end())
                entry->second.letters_reported = version;
        return true;
    }
    everything_ = true;
    problem = source::explain(*result.error, connection).text();
    return false;
}

}  // namespace fanout::control
