// See lane.hpp.
#include "sidecar/lane/lane.hpp"

#include <pthread.h>

#include <filesystem>
#include <utility>

#include "sidecar/observe/log.hpp"

namespace fanout::lane {
namespace {

using namespace std::chrono_literals;

constexpr auto kInterruptEvery = 100ms;
constexpr auto kDestructionGrace = 1s;

/// Threads are named for `top -H`; the system takes 15 characters.
void name_thread(const std::string& subscription) {
    pthread_setname_np(pthread_self(), ("lane " + subscription).substr(0, 15).c_str());
}

}  // namespace

Lane::Lane(LaneSettings settings, const fanout_connector& connector, journal::Journal& journal,
           const std::atomic<std::uint64_t>& epoch, const std::string& cursor_directory,
           std::function<void(LaneEvent)> doorbell)
    : settings_(std::move(settings)),
      connector_(connector),
      journal_(journal),
      epoch_(epoch),
      cursors_(cursor_directory, settings_.subscription, settings_.stream_identity),
      letters_(std::filesystem::path(cursor_directory).parent_path().string(),
               settings_.subscription),
      parking_(letters_, settings_.skips, settings_.redrives),
      outbox_(std::move(doorbell)),
      tables_(settings_.subscription),
      reader_(journal.new_reader()) {}

Lane::~Lane() {
    stop(kDestructionGrace);
}

void Lane::start() {
    parking_loaded_ = parking_.load();
    if (const auto stored = cursors_.load(); stored.is_ok()) {
        outbox_.update([&](LaneSnapshot& board) {
            board.cursor = stored.value().cursor;
            board.rows_delivered = stored.value().rows_delivered;
            board.rows_dead_lettered = letters_.rows_parked();
            board.rows_filtered = stored.value().rows_filtered;
            board.rows_read = board.rows_delivered + board.rows_filtered + board.rows_dead_lettered;
            board.filtered_up_to = stored.value().filtered_up_to;
            board.transactions = stored.value().transactions;
            board.tables = stored.value().tables;
        });
        for (const auto& table : stored.value().tables)
            tables_.counts()[table.oid] = table;
    }
    thread_ = std::thread([this] { run(); });
}

void Lane::set_plan(const backfill::Plan& plan) {
    plan_.put(plan);
    reader_->interrupt();
}

void Lane::request_stop() {
    stop_requested_ = true;
    reader_->interrupt();
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
}

void Lane::stop(std::chrono::milliseconds grace) {
    if (!thread_.joinable()) return;
    request_stop();
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, grace, [this] { return ended_; });
    while (!ended_) {
        stopping_ = true;
        if (connected_ != nullptr) connected_->interrupt();
        changed_.wait_for(lock, kInterruptEvery, [this] { return ended_; });
    }
    lock.unlock();
    thread_.join();
}

void Lane::run() {
    name_thread(settings_.name);
    while (!stop_requested_) {
        bool progressed = false;
        const Ending ending = attempt(progressed);
        if (progressed) backoff_.reset();
        if (ending.kind == Ending::Kind::stopped || stop_requested_) break;
        if (ending.kind == Ending::Kind::reopen || ending.kind == Ending::Kind::again) continue;
        show(ending);
        if (!tries_again(ending.state)) break;
        back_off();
    }
    reader_->release();
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

Ending Lane::attempt(bool& progressed) {
    if (!parking_loaded_.is_ok())
        return {Ending::Kind::trouble, LaneState::failed, parking_loaded_.text(), "", 0};
    auto options = host::check_options(connector_, settings_.options);
    if (!options.is_ok())
        return {Ending::Kind::trouble, LaneState::failed, options.status().text(),
                "correct the target's options, then resume the subscription", 0};
    host::ConnectorGuard connector(connector_, settings_.name, stopping_);
    if (settings_.create_tables && !connector.creates_tables())
        return {Ending::Kind::trouble, LaneState::failed,
                "connector \"" + std::string(connector.name()) + "\" cannot create tables",
                "leave create_tables out of the subscription's options", 0};
    if (settings_.on_ddl == OnDdl::apply && !connector.applies_ddl())
        return {Ending::Kind::trouble, LaneState::failed,
                "connector \"" + std::string(connector.name()) + "\" applies no schema changes",
                "set on_ddl in the subscription's options to hold or ignore", 0};
    if (const auto outcome = connector.create(options.value()); !outcome.ok())
        return {Ending::Kind::trouble, state_after(outcome.code), outcome.message, outcome.hint, 0};
    {
        const std::lock_guard lock(mutex_);
        connected_ = &connector;
    }
    Delivery delivery(
        {settings_, journal_, *reader_, cursors_, tables_, outbox_, plan_, parking_, letters_,
         stop_requested_, epoch_.load(), std::exchange(standpoint_, std::nullopt)},
        connector);
    Ending ending = delivery.run();
    if (ending.kind == Ending::Kind::reopen) standpoint_ = delivery.standpoint();
    progressed = delivery.progressed();
    connector.close();
    const std::lock_guard lock(mutex_);
    connected_ = nullptr;
    return ending;
}

void Lane::show(const Ending& ending) {
    denied_table_ = ending.denied_table;
    outbox_.update([&](LaneSnapshot& board) {
        board.state = ending.state;
        board.waiting = board.caught_up = false;
        board.last_error = ending.message;
        board.last_error_hint = ending.hint;
        board.stopped_lsn = ending.stopped_lsn;
        board.last_error_at = std::chrono::system_clock::now();
        if (tries_again(ending.state)) ++board.retries;
    });
    outbox_.post(LaneEvent::state);
    log::write(tries_again(ending.state) ? log::Level::warning : log::Level::error,
               tries_again(ending.state) ? "lane waits before it tries again" : "lane stopped",
               {{"subscription", settings_.name},
                {"state", state_name(ending.state)},
                {"error", ending.message},
                {"hint", ending.hint}});
}

void Lane::back_off() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, backoff_.next(), [this] { return stop_requested_.load(); });
}

}  // namespace fanout::lane
