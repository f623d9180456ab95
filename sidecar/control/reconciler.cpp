// See reconciler.hpp.
#include "sidecar/control/reconciler.hpp"

#include <set>

#include "sidecar/observe/log.hpp"

namespace fanout::control {
namespace {

using namespace std::chrono_literals;
using lane::LaneState;

constexpr auto kRestartGrace = 2s;
constexpr auto kShutdownGrace = 5s;

journal::JournalOptions journal_options(std::uint64_t segment_bytes,
                                        const config::Reloadable& limits) {
    journal::JournalOptions options;
    options.segment_bytes = segment_bytes;
    options.bytes_max = limits.journal_bytes_max;
    options.age_max = limits.journal_age_max;
    options.limit_action = limits.journal_limit_action == config::LimitAction::hold
                               ? journal::LimitAction::hold
                               : journal::LimitAction::needs_resync;
    return options;
}

}  // namespace

Reconciler::~Reconciler() {
    stop_all();
}

void Reconciler::apply(const source::SourceConfig& config, const MayRead& may_read) {
    system_identifier_ = config.system_identifier;
    database_oid_ = config.database_oid;
    apply_streams(config.streams);
    take_news();
    std::set<std::uint32_t> present;
    for (const auto& def : config.subscriptions) {
        present.insert(def.id);
        apply_subscription(def, may_read);
        const auto copies = config.copies.find(def.id);
        if (copies != config.copies.end()) apply_copies(subscriptions_.at(def.id), copies->second);
    }
    std::vector<std::uint32_t> gone;
    for (const auto& [id, entry] : subscriptions_)
        if (!present.contains(id)) gone.push_back(id);
    for (const auto id : gone)
        drop_subscription(id);
    refresh();
}

void Reconciler::apply_streams(const std::vector<source::StreamDef>& defs) {
    std::set<std::uint32_t> present;
    for (const auto& def : defs) {
        present.insert(def.id);
        auto found = streams_.find(def.id);
        const bool same_slot = found != streams_.end() &&
                               found->second.def.identity == def.identity &&
                               found->second.def.name == def.name;
        if (found != streams_.end() && !same_slot) close_stream(def.id);
        auto& entry = streams_[def.id];
        entry.def = def;
        if (!entry.runtime) open_stream(entry);
        if (!entry.runtime) continue;
        if (def.enabled) {
            entry.runtime->start();
        } else {
            entry.runtime->stop();
        }
    }
    std::vector<std::uint32_t> gone;
    for (const auto& [id, entry] : streams_)
        if (!present.contains(id)) gone.push_back(id);
    for (const auto id : gone)
        close_stream(id);
}

void Reconciler::open_stream(StreamEntry& entry) {
    auto opened =
        stream::StreamRuntime::open(entry.def,
                                    {parts_.config.source, system_identifier_, database_oid_,
                                     parts_.daemon, parts_.state.stream(entry.def.name),
                                     journal_options(parts_.config.journal_segment_bytes, limits_)},
                                    [doorbell = parts_.doorbell] { doorbell(true); });
    if (opened.is_ok()) {
        entry.runtime = std::move(opened.value());
        entry.open_error.clear();
        return;
    }
    if (entry.open_error != opened.status().text())
        log::error("stream's journal cannot be opened",
                   {{"stream", entry.def.name}, {"error", opened.status().text()}});
    entry.open_error = opened.status().text();
}

/// Its lanes first: they read its journal.
void Reconciler::close_stream(std::uint32_t id) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    for (auto& [subscription, entry] : subscriptions_)
        if (entry.def.stream == found->second.def.name) stop_lane(entry);
    streams_.erase(found);
}

void Reconciler::apply_subscription(const source::SubscriptionDef& def, const MayRead& may_read) {
    auto& entry = subscriptions_[def.id];
    const auto before = entry.def;
    const bool changed = !(before == def);
    entry.def = def;
    if (!changed) return;
    if (entry.lane && entry.lane->denied_table() != 0) {
        const Oid32 table = entry.lane->denied_table();
        auto* stream = stream_of(before.stream);
        if (stream != nullptr && stream->runtime && may_read(def.owner, table))
            permitted_[def.id][table] = stream->runtime->journal().end_lsn();
    }
    stop_lane(entry);
    if (def.restored || def.paused) {
        rest(entry, LaneState::paused, "", "");
    } else {
        rest(entry, LaneState::starting, "", "");
    }
}

void Reconciler::apply_copies(SubscriptionEntry& entry, const backfill::Plan& plan) {
    if (entry.copies == plan) return;
    entry.copies = plan;
    if (entry.lane) entry.lane->set_plan(plan);
}

void Reconciler::drop_subscription(std::uint32_t id) {
    auto& entry = subscriptions_.at(id);
    stop_lane(entry);
    if (auto* stream = stream_of(entry.def.stream); stream != nullptr) {
        if (stream->runtime) stream->runtime->journal().forget(id);
        lane::CursorStore(parts_.state.cursors(), id, stream->def.identity).remove();
    }
    letters::DeadLetters(parts_.state.path(), id).remove_all();
    log::info("subscription dropped", {{"subscription", entry.def.name}});
    subscriptions_.erase(id);
    created_at_.erase(id);
    permitted_.erase(id);
}

void Reconciler::refresh() {
    take_news();
    for (auto& [id, entry] : subscriptions_) {
        if (entry.lane) continue;
        auto* stream = stream_of(entry.def.stream);
        if (stream == nullptr || !stream->runtime) continue;
        pin_journal(entry, *stream->runtime);
        const bool rests = entry.def.paused || entry.def.restored;
        if (!rests && stream->runtime->was_attached() && entry.resting.state == LaneState::starting)
            start_lane(entry);
    }
}

/// What a lane that does not run needs of the journal, as far as this side of the target knows.
void Reconciler::pin_journal(const SubscriptionEntry& entry, stream::StreamRuntime& runtime) {
    if (entry.def.restored) return;
    const lane::CursorStore cursors(parts_.state.cursors(), entry.def.id, runtime.def().identity);
    const auto stored = cursors.load();
    fanout_cursor cursor{};
    Lsn start = entry.def.start_lsn;
    if (stored.is_ok()) {
        cursor = stored.value().cursor;
        start = std::max(start, stored.value().start_lsn);
    }
    runtime.journal().want(entry.def.id, lane::resume_lsn(cursor, start));
}

void Reconciler::start_lane(SubscriptionEntry& entry) {
    auto& stream = *stream_of(entry.def.stream);
    const auto* connector = parts_.connectors.find(entry.def.connector);
    if (connector == nullptr) {
        rest(entry, LaneState::failed,
             "this fanoutd has no connector \"" + entry.def.connector + "\"",
             "it has: " + parts_.connectors.names() + "; install the connector, then resume");
        log::error("lane not started",
                   {{"subscription", entry.def.name}, {"error", entry.resting.last_error}});
        return;
    }
    lane::LaneSettings settings;
    settings.subscription = entry.def.id;
    settings.name = entry.def.name;
    settings.owner = entry.def.owner;
    settings.stream_identity = stream.def.identity;
    settings.start_lsn = entry.def.start_lsn;
    settings.source_end = stream.runtime->source_end();
    settings.skip_lsn = entry.def.skip_lsn;
    settings.create_tables = entry.def.create_tables;
    settings.on_ddl = entry.def.on_ddl;
    settings.source = parts_.config.source;
    settings.park_rejected = entry.def.park_rejected;
    settings.skips = entry.def.skips.positions;
    settings.redrives = entry.def.redrives.positions;
    entry.letters_reported = 0;
    settings.options = entry.def.options;
    settings.limits = parts_.config.lane;
    settings.permitted_until = permitted_[entry.def.id];
    const lane::CursorStore cursors(parts_.state.cursors(), entry.def.id, stream.def.identity);
    auto stored = cursors.load();
    if (stored.is_ok()) {
        const auto created = created_at_.find(entry.def.id);
        if (created != created_at_.end() && stored.value().start_lsn < created->second) {
            stored.value().start_lsn = created->second;
            static_cast<void>(cursors.save(stored.value()));
        }
        settings.start_lsn = std::max(settings.start_lsn, stored.value().start_lsn);
    }
    entry.lane = std::make_unique<lane::Lane>(
        std::move(settings), *connector, stream.runtime->journal(), stream.runtime->epoch(),
        parts_.state.cursors(), [doorbell = parts_.doorbell](lane::LaneEvent event) {
            doorbell(event != lane::LaneEvent::progress);
        });
    entry.lane->set_plan(entry.copies);
    entry.lane->start();
    log::info("lane started", {{"subscription", entry.def.name},
                               {"target", entry.def.target},
                               {"connector", entry.def.connector}});
}

void Reconciler::stop_lane(SubscriptionEntry& entry) {
    if (!entry.lane) return;
    entry.lane->stop(kRestartGrace);
    entry.resting = entry.lane->outbox().snapshot();
    entry.lane.reset();
    entry.report_due = true;
}

void Reconciler::rest(SubscriptionEntry& entry, LaneState state, const std::string& error,
                      const std::string& hint) {
    entry.resting.state = state;
    entry.resting.caught_up = false;
    if (!error.empty()) {
        entry.resting.last_error = error;
        entry.resting.last_error_hint = hint;
        entry.resting.last_error_at = std::chrono::system_clock::now();
    }
    entry.report_due = true;
}

void Reconciler::take_news() {
    for (auto& [id, entry] : streams_) {
        if (!entry.runtime) continue;
        drain::SubscriptionNews news;
        while (entry.runtime->take_news(news))
            if (news.added) created_at_[news.subscription] = news.commit_lsn;
    }
}

Reconciler::StreamEntry* Reconciler::stream_of(const std::string& name) {
    for (auto& [id, entry] : streams_)
        if (entry.def.name == name) return &entry;
    return nullptr;
}

void Reconciler::attach_now() {
    for (auto& [id, entry] : streams_)
        if (entry.runtime && entry.runtime->snapshot().state == stream::StreamState::failed)
            entry.runtime->attach_now();
}

bool Reconciler::take_source_leaving() {
    bool leaving = false;
    for (auto& [id, entry] : streams_)
        if (entry.runtime) leaving |= entry.runtime->take_source_leaving();
    return leaving;
}

void Reconciler::set_limits(const config::Reloadable& limits) {
    limits_ = limits;
    const auto options = journal_options(parts_.config.journal_segment_bytes, limits_);
    for (auto& [id, entry] : streams_)
        if (entry.runtime) entry.runtime->journal().set_limits(options);
    trim(true);
}

void Reconciler::trim(bool always) {
    for (auto& [id, entry] : streams_)
        if (entry.runtime) entry.runtime->trim(always);
}

void Reconciler::stop_all() {
    for (auto& [id, entry] : streams_)
        if (entry.runtime) entry.runtime->stop();
    for (auto& [id, entry] : subscriptions_)
        if (entry.lane) entry.lane->request_stop();
    const auto deadline = std::chrono::steady_clock::now() + kShutdownGrace;
    for (auto& [id, entry] : subscriptions_) {
        if (!entry.lane) continue;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        entry.lane->stop(std::max(left, std::chrono::milliseconds(0)));
        stop_lane(entry);
    }
}

Status Reconciler::journal_failure() const {
    for (const auto& [id, entry] : streams_) {
        if (!entry.runtime) continue;
        if (auto failure = entry.runtime->journal().failure(); !failure.is_ok()) return failure;
    }
    return Status::ok();
}

void Reconciler::discard_unsynced() {
    for (auto& [id, entry] : streams_) {
        if (!entry.runtime || entry.runtime->journal().failure().is_ok()) continue;
        if (const auto cut = entry.runtime->journal().discard_unsynced(); !cut.is_ok())
            log::error("journal not cut back", {{"stream", entry.def.name}, {"error", cut.text()}});
    }
}

}  // namespace fanout::control
