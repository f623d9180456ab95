// See control_loop.hpp.
#include "sidecar/control/control_loop.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>

#include "sidecar/host/connectors_sql.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::control {
namespace {

using namespace std::chrono_literals;
using Clock = Reporter::Clock;

/// Also how long a smart shutdown of the source waits for us if no worker is there to tell of it.
constexpr auto kReconcileInterval = 15s;

/// "host:pid", as the catalog shows it.
std::string daemon_name() {
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
    return std::string(host.data()) + ":" + std::to_string(::getpid());
}

}  // namespace

ControlLoop::ControlLoop(const config::Config& config, const host::ConnectorRegistry& connectors,
                         state::StateDir& state)
    : config_(config),
      state_(state),
      daemon_(daemon_name()),
      reconciler_(
          {config, connectors, state, daemon_, [this](bool urgent) { doorbell_.ring(urgent); }}),
      reporter_(reconciler_, daemon_, host::connectors_json(connectors)) {}

void ControlLoop::request_stop() {
    stop_requested_ = true;
    stop_.ring();
}

void ControlLoop::reload(const config::Reloadable& settings) {
    {
        const std::lock_guard lock(reload_mutex_);
        reloaded_ = settings;
    }
    doorbell_.ring(true);
}

void ControlLoop::take_reloaded() {
    std::optional<config::Reloadable> settings;
    {
        const std::lock_guard lock(reload_mutex_);
        settings.swap(reloaded_);
    }
    if (settings) reconciler_.set_limits(*settings);
}

Status ControlLoop::run() {
    while (!stop_requested_ && fatal_.is_ok()) {
        const Status ended = session();
        connection_.reset();
        if (stop_requested_ || !fatal_.is_ok()) break;
        pause_after(ended);
    }
    say_goodbye();
    return fatal_;
}

Status ControlLoop::session() {
    if (auto connected = connect(); !connected.is_ok()) return connected;
    if (auto listening = connection_->query("LISTEN pg_fanout"); !listening.ok())
        return source::explain(*listening.error, *connection_);
    if (auto done = reconcile(); !done.is_ok()) return done;
    log::info("connected to the source",
              {{"database", connection_->database()}, {"user", connection_->user()}});
    last_problem_.clear();
    backoff_.reset();
    reporter_.begin_session();
    while (!stop_requested_ && fatal_.is_ok())
        if (auto waited = wait_for_events(); !waited.is_ok()) return waited;
    return Status::ok();
}

Status ControlLoop::connect() {
    auto connected = source::SourceConnection::connect(config_.source, stop_.fd());
    if (!connected.is_ok()) return connected.status();
    connection_.emplace(std::move(connected.value()));
    return Status::ok();
}

Status ControlLoop::reconcile() {
    const auto result = connection_->query("SELECT fanout.daemon_config()");
    if (!result.ok()) return source::explain(*result.error, *connection_);
    if (result.rows.size() != 1 || result.rows[0].size() != 1 || !result.rows[0][0])
        return Status::fatal("fanout.daemon_config() did not answer");
    auto config = source::parse_source_config(*result.rows[0][0]);
    if (!config.is_ok()) return config.status();
    if (auto checked = first_contact(config.value()); !checked.is_ok()) return checked;
    reconciler_.apply(config.value(), [this](const std::string& role, Oid32 table) {
        const auto answer = connection_->query("SELECT has_table_privilege($1, $2::oid, 'SELECT')",
                                               {role, std::to_string(table)});
        return answer.ok() && !answer.rows.empty() && answer.rows[0][0] == "t";
    });
    reconciler_.trim(true);
    reconcile_at_ = Clock::now() + kReconcileInterval;
    return Status::ok();
}

/// Another source than the state directory's: at the start the daemon leaves, because it was
/// started wrongly; later the address leads somewhere else for a while, so it waits.
Status ControlLoop::first_contact(const source::SourceConfig& config) {
    auto checked =
        state_.check_source(config.system_identifier, config.database_oid, config.database);
    if (!checked.is_ok() && !source_known_) fatal_ = checked;
    source_known_ = source_known_ || checked.is_ok();
    return checked;
}

Status ControlLoop::wait_for_events() {
    const auto until = std::min(reconcile_at_, reporter_.due_at());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    std::array<pollfd, 3> fds{
        {{connection_->socket(), POLLIN, 0}, {doorbell_.fd(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}}};
    static_cast<void>(::poll(fds.data(), fds.size(), static_cast<int>(std::max(left, 0L))));
    if (fds[0].revents != 0 && !connection_->read_input())
        return Status::retry("the connection to the source is gone");
    bool changed = false;
    for (const auto& payload : connection_->take_notifications()) {
        log::debug("notified", {{"payload", payload}});
        changed = true;
    }
    if (fds[1].revents != 0) {
        const bool urgent = doorbell_.take();
        reporter_.note(urgent);
        if (urgent) {
            take_reloaded();
            reconciler_.refresh();
            if (reconciler_.take_source_leaving()) reconcile_at_ = Clock::now();
            fatal_ = reconciler_.journal_failure();
            if (!fatal_.is_ok()) return fatal_;
        }
    }
    const bool due = Clock::now() >= reconcile_at_;
    if (due && source::SourceConnection::refuses_sessions(config_.source))
        return Status::retry("the source is shutting down");
    if (changed || due) {
        if (auto done = reconcile(); !done.is_ok()) return done;
        if (changed) {
            reconciler_.attach_now();
            reporter_.note(true);
        }
    }
    if (Clock::now() < reporter_.due_at()) return Status::ok();
    reconciler_.trim(false);
    std::string problem;
    return reporter_.send(*connection_, problem) ? Status::ok() : Status::retry(problem);
}

/// Without a source lanes and streams may still need attention, so the doorbell is heard.
void ControlLoop::pause_after(const Status& status) {
    if (!status.is_ok() && status.text() != last_problem_) {
        log::error("no session at the source, trying again", {{"error", status.text()}});
        last_problem_ = status.text();
    }
    const auto until = Clock::now() + backoff_.next();
    while (!stop_requested_ && fatal_.is_ok() && Clock::now() < until) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        std::array<pollfd, 2> fds{{{doorbell_.fd(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}}};
        static_cast<void>(::poll(fds.data(), fds.size(), static_cast<int>(std::max(left, 0L))));
        if (fds[0].revents == 0) continue;
        if (doorbell_.take()) {
            take_reloaded();
            reconciler_.refresh();
        }
        reconciler_.trim(false);
        fatal_ = reconciler_.journal_failure();
    }
}

/// Everything stops; what was reached is reported if the source still listens.
void ControlLoop::say_goodbye() {
    reconciler_.stop_all();
    if (!fatal_.is_ok()) {
        reconciler_.discard_unsynced();
        return;
    }
    // The stop descriptor is rung: a session of its own, with one that is not.
    const source::WakeFd never;
    auto connected = source_known_ ? source::SourceConnection::connect(config_.source, never.fd())
                                   : Result<source::SourceConnection>(Status::retry(""));
    if (!connected.is_ok()) return;
    std::string problem;
    reporter_.note(true);
    static_cast<void>(reporter_.send(connected.value(), problem));
}

}  // namespace fanout::control
