// See stream_runtime.hpp.
#include "sidecar/stream/stream_runtime.hpp"

#include <pthread.h>

#include <filesystem>

#include "fanout/base/fault_point.hpp"
#include "fanout/base/lsn_text.hpp"
#include "sidecar/observe/log.hpp"
#include "sidecar/stream/attach.hpp"
#include "sidecar/stream/stream_file.hpp"

namespace fanout::stream {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kHandshakeTimeout = 10s;
/// A refusal is final for us, but a person may have mended the source without telling.
constexpr auto kRefusalPause = 60s;

/// A new slot has a new identity: what the old one left is kept aside, never mixed with it.
Status put_aside(const std::string& directory, const StreamFile& old, const std::string& stream) {
    const std::string from = directory + "/journal", to = from + "." + old.identity;
    std::error_code error;
    if (!fs::exists(from, error)) return Status::ok();
    fs::rename(from, to, error);
    if (error) return Status::io("cannot move " + from + " to " + to + ": " + error.message());
    log::warning("the stream has a new slot; the old journal is put aside",
                 {{"stream", stream}, {"kept_as", to}});
    return Status::ok();
}

}  // namespace

const char* state_name(StreamState state) {
    switch (state) {
        case StreamState::stopped:
            return "stopped";
        case StreamState::attaching:
            return "attaching";
        case StreamState::streaming:
            return "streaming";
        case StreamState::holding:
            return "holding";
        case StreamState::retrying:
            return "retrying";
        case StreamState::failed:
            break;
    }
    return "failed";
}

Result<std::unique_ptr<StreamRuntime>> StreamRuntime::open(source::StreamDef def,
                                                           StreamOptions options,
                                                           std::function<void()> changed) {
    std::error_code error;
    fs::create_directories(options.directory, error);
    if (error) return Status::io("cannot create " + options.directory + ": " + error.message());
    auto file = load_stream_file(options.directory);
    if (!file.is_ok()) return file.status();
    if (!file.value().identity.empty() && file.value().identity != def.identity) {
        if (auto moved = put_aside(options.directory, file.value(), def.name); !moved.is_ok())
            return moved;
        file.value() = {};
    }
    std::unique_ptr<StreamRuntime> runtime(
        new StreamRuntime(std::move(def), std::move(options), std::move(changed)));
    const auto& made = runtime->def_;
    auto journal =
        journal::Journal::open(runtime->options_.directory + "/journal",
                               {runtime->options_.system_identifier, runtime->options_.database_oid,
                                made.name, made.identity, made.generation},
                               runtime->options_.journal);
    if (!journal.is_ok()) return journal.status();
    runtime->journal_ = std::move(journal.value());
    runtime->epoch_ = file.value().epoch;
    const auto& found = runtime->journal_->recovery();
    if (auto noted = runtime->note_damage(found, file.value().damage); !noted.is_ok()) return noted;
    log::info("journal open", {{"stream", made.name},
                               {"segments", found.segments},
                               {"durable_to", lsn_text(runtime->journal_->durable_end_lsn())},
                               {"bytes_cut", found.bytes_cut},
                               {"cut_reason", found.cut_reason}});
    return runtime;
}

/// Kept in stream.json until an attachment shows that nothing acknowledged was lost: the next
/// start finds a journal that looks whole.
Status StreamRuntime::note_damage(const journal::RecoveryReport& found, const std::string& known) {
    damage_ = known;
    if (found.cut_reason.empty()) return Status::ok();
    damage_ = found.cut_reason + "; " + std::to_string(found.bytes_cut) +
              " bytes from there on were cut off";
    // Ordinary after a crash; if something acknowledged went with it, the attachment says so.
    log::info("the journal's end was torn and is cut off; the source sends it again",
              {{"stream", def_.name}, {"damage", damage_}});
    return save_stream_file(options_.directory, {def_.identity, epoch_, damage_});
}

/// The server cannot know why the journal ends before the slot; if it was damaged, we do.
Status StreamRuntime::explain_refusal(const Status& refusal) const {
    constexpr std::string_view kAhead = "slot_ahead:";
    if (damage_.empty() || !refusal.text().starts_with(kAhead)) return refusal;
    return Status::fatal(
        std::string(kAhead) + " the journal was damaged and has lost its end: " + damage_ +
        "; it now ends at " + lsn_text(journal_->durable_end_lsn()) +
        ", but what was cut had been acknowledged to slot \"" + def_.slot +
        "\", which cannot send it again. Check the disk; stop fanoutd and restore the damaged file "
        "from a copy, or drop the slot, start the stream anew and resync the subscriptions");
}

StreamRuntime::StreamRuntime(source::StreamDef def, StreamOptions options,
                             std::function<void()> changed)
    : def_(std::move(def)), options_(std::move(options)), changed_(std::move(changed)) {}

StreamRuntime::~StreamRuntime() {
    stop();
}

void StreamRuntime::start() {
    if (running()) return;
    stop_requested_ = false;
    stop_.clear();
    show(StreamState::attaching, "");
    thread_ = std::thread([this] { run(); });
}

void StreamRuntime::stop() {
    if (!running()) return;
    {
        const std::lock_guard lock(mutex_);
        stop_requested_ = true;
    }
    stop_.ring();
    wake_.notify_all();
    thread_.join();
    show(StreamState::stopped, "");
}

void StreamRuntime::attach_now() {
    const std::lock_guard lock(mutex_);
    attach_requested_ = true;
    wake_.notify_all();
}

StreamSnapshot StreamRuntime::snapshot() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
}

bool StreamRuntime::stopping() const {
    const std::lock_guard lock(mutex_);
    return stop_requested_;
}

void StreamRuntime::run() {
    pthread_setname_np(pthread_self(), ("stream " + def_.name).substr(0, 15).c_str());
    for (;;) {
        Status status = attach_once();
        if (status.is_ok()) {
            backoff_.reset();
            status = drain_until_end();
        }
        drain_.reset();
        if (stopping() || !journal_->failure().is_ok()) break;
        pause_after(status);
        if (stopping()) break;
    }
    changed_();
}

Status StreamRuntime::attach_once() {
    auto attachment = attach({options_.conninfo, def_.name, journal_->durable_end_lsn(),
                              options_.daemon, stop_.fd(), epoch_});
    if (!attachment.is_ok()) return explain_refusal(attachment.status());
    const auto& worker = attachment.value();
    if (worker.identity != def_.identity || worker.system_identifier != options_.system_identifier)
        return Status::retry("the stream was made anew while it was being attached");
    if (auto saved = save_stream_file(options_.directory, {def_.identity, worker.epoch});
        !saved.is_ok())
        return saved;
    FANOUT_FAULT_HERE("stream.epoch_saved");
    damage_.clear();  // the source sends what was cut
    auto connection =
        drain::WorkerConnection::connect(worker.socket_path, worker.token, kHandshakeTimeout);
    if (!connection.is_ok()) return connection.status();
    auto mapping = drain::RingMapping::map(connection.value());
    if (!mapping.is_ok()) return mapping.status();
    FANOUT_FAULT_HERE("stream.ring_mapped");
    {
        const std::lock_guard lock(mutex_);
        drain_ended_ = false;
        snapshot_ = {StreamState::streaming, "", worker.worker_pid};
    }
    const Lsn from = connection.value().start_lsn();
    drain_ = std::make_unique<drain::Drain>(
        *journal_,
        drain::DrainCallbacks{[this](const drain::SubscriptionNews& news) {
                                  // Full: the next reconcile sees the change in the catalog.
                                  static_cast<void>(news_.push(news));
                                  changed_();
                              },
                              [this](const drain::DrainStatus& status) { on_drain(status); },
                              [this] {
                                  source_leaving_ = true;
                                  changed_();
                              }});
    if (auto started = drain_->start(std::move(mapping.value()), std::move(connection.value()));
        !started.is_ok())
        return started;
    source_end_ = worker.source_end;
    epoch_ = worker.epoch;
    log::info("stream attached", {{"stream", def_.name},
                                  {"worker_pid", worker.worker_pid},
                                  {"epoch", worker.epoch},
                                  {"from", lsn_text(from)}});
    changed_();
    return Status::ok();
}

void StreamRuntime::on_drain(const drain::DrainStatus& status) {
    {
        const std::lock_guard lock(mutex_);
        if (status.phase == drain::DrainPhase::ended) {
            drain_ended_ = true;
            drain_end_ = status.end;
            wake_.notify_all();
            return;
        }
        const bool holds = status.phase == drain::DrainPhase::holding;
        snapshot_.state = holds ? StreamState::holding : StreamState::streaming;
        snapshot_.error = status.reason;
    }
    if (status.phase == drain::DrainPhase::holding)
        log::warning("drain holds; the slot keeps the WAL meanwhile",
                     {{"stream", def_.name}, {"reason", status.reason}});
    changed_();
}

Status StreamRuntime::drain_until_end() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stop_requested_ || drain_ended_; });
    if (stop_requested_) {
        lock.unlock();
        drain_->stop();
        return Status::ok();
    }
    return drain_end_.is_ok() ? Status::retry("the decoding worker has left") : drain_end_;
}

void StreamRuntime::show(StreamState state, const std::string& error) {
    {
        const std::lock_guard lock(mutex_);
        const StreamSnapshot fresh{state, error, 0};
        if (snapshot_ == fresh) return;
        snapshot_ = fresh;
    }
    changed_();
}

/// Says what happened, then waits: shortly for what may pass, long for what a person must mend.
void StreamRuntime::pause_after(const Status& status) {
    const bool refused = status.kind() == StatusKind::fatal;
    const auto before = snapshot();
    show(refused ? StreamState::failed : StreamState::retrying, status.text());
    if (before.error != status.text())
        log::write(refused ? log::Level::error : log::Level::warning,
                   refused ? "stream stopped" : "stream detached, attaching again",
                   {{"stream", def_.name}, {"error", status.text()}});
    std::unique_lock lock(mutex_);
    const std::chrono::milliseconds pause = refused ? kRefusalPause : backoff_.next();
    wake_.wait_for(lock, pause, [this] { return stop_requested_ || attach_requested_; });
    attach_requested_ = false;
}

void StreamRuntime::trim(bool always) {
    const auto written = journal_->appended_bytes_total();
    if (!always && written - trimmed_at_bytes_ < options_.journal.segment_bytes / 2) return;
    trimmed_at_bytes_ = written;
    const auto report = journal_->trim();
    if (report.segments_removed != 0)
        log::debug("journal trimmed", {{"stream", def_.name},
                                       {"segments", report.segments_removed},
                                       {"bytes", report.bytes_removed}});
    for (const auto& laggard : report.laggards)
        log::error("the journal's limit let a subscription go",
                   {{"stream", def_.name},
                    {"subscription_id", laggard.subscription},
                    {"wanted_from", lsn_text(laggard.wanted_from)}});
    if (!report.status.is_ok())
        log::error("journal not trimmed", {{"stream", def_.name}, {"error", report.status.text()}});
}

}  // namespace fanout::stream
