// peek, plan, append, advance; sleep when there is nothing, hold when there is no room.
#include "sidecar/drain/drain_loop.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "fanout/base/fault_point.hpp"

namespace fanout::drain {

namespace {

constexpr int kForever = -1;
/// cannot_connect_now: with it the worker says early that the server shuts down.
constexpr const char* kShuttingDown = "57P03";
/// How often a held drain looks whether there is room again.
constexpr int kHoldRetryMs = 100;
/// Looking at the limits costs a lock: not at every turn.
constexpr std::chrono::milliseconds kLimitCheckInterval{50};

void ring_bell(int eventfd) {
    const std::uint64_t one = 1;
    // Full counter: the other side has not slept for 2^64 rings. Nothing to do about any error.
    (void)!::write(eventfd, &one, sizeof one);
}

void silence_bell(int eventfd) {
    std::uint64_t rings = 0;
    (void)!::read(eventfd, &rings, sizeof rings);
}

}  // namespace

DrainLoop::DrainLoop(journal::Journal& journal, const DrainCallbacks& callbacks,
                     RingMapping mapping, WorkerConnection connection)
    : journal_(journal),
      callbacks_(callbacks),
      mapping_(std::move(mapping)),
      connection_(std::move(connection)),
      reader_(mapping_.header(), mapping_.ack(), mapping_.data(), mapping_.capacity()),
      walk_(connection_.epoch()),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

DrainLoop::~DrainLoop() {
    journal_.set_durable_listener(nullptr);
}

Status DrainLoop::prepare() {
    if (!wake_.valid()) return journal::file_error("cannot make", "an eventfd", errno);
    auto status = journal_.begin_attachment(connection_.start_lsn(), connection_.epoch());
    if (!status.is_ok()) return status;
    durable_before_ = journal_.durable_end_lsn();
    journal_.set_durable_listener([this](Lsn lsn) { on_durable(lsn); });
    return Status::ok();
}

void DrainLoop::run() {
    while (true) {
        const Turn done = turn();
        if (done == Turn::ended) return;
        if (done == Turn::idle) sleep_until_data();
    }
}

DrainLoop::Turn DrainLoop::turn() {
    if (stopping_.load()) return end(Status::ok());
    if (gave_up_) return end(worker_words_);
    if (auto failure = journal_.failure(); !failure.is_ok()) return end(failure);
    if (plan_waits_) return append_plan();
    if (!refused_.is_ok()) return end(refused_);
    const auto bytes = reader_.peek();
    if (reader_.broken()) {
        return end(
            Status::corruption("ring: the worker's head is impossible; attaching again "
                               "decodes anew"));
    }
    if (bytes.empty()) {
        return worker_left_ ? end(worker_words_) : Turn::idle;
    }
    if (held_by_limit()) return Turn::worked;
    FANOUT_FAULT_HERE("drain.bytes_seen");
    if (auto status = journal_.prepare_append(); !status.is_ok()) {
        hold(status.text());
        return Turn::worked;
    }
    const bool whole = walk_.plan(bytes, journal_.state(), journal_.wants_boundary());
    if (!whole) refused_ = Status::corruption(walk_.refusal());  // after what came before it
    for (const auto& news : walk_.news()) {
        if (news.added) {
            journal_.want(news.subscription, news.commit_lsn + 1);
        } else {
            journal_.forget(news.subscription);
        }
        if (callbacks_.on_subscription) callbacks_.on_subscription(news);
    }
    return append_plan();
}

DrainLoop::Turn DrainLoop::append_plan() {
    plan_waits_ = true;
    if (auto status = journal_.append(walk_.append()); !status.is_ok()) {
        hold(status.text());
        return Turn::worked;
    }
    plan_waits_ = false;
    go_on();
    FANOUT_FAULT_HERE("drain.ring_not_freed");
    if (reader_.advance(walk_.consumed())) ring_bell(connection_.descriptor(ring::kSpaceReady));
    if (walk_.skipped_end_lsn() != 0 && walk_.skipped_end_lsn() <= journal_.durable_end_lsn()) {
        acknowledge(walk_.skipped_end_lsn());
    }
    const std::lock_guard lock(mutex_);
    status_.records = walk_.records();
    status_.bytes += walk_.consumed();
    status_.transactions_skipped = walk_.transactions_skipped();
    return Turn::worked;
}

bool DrainLoop::held_by_limit() {
    const auto now = std::chrono::steady_clock::now();
    const bool holding = status_.phase == DrainPhase::holding;
    if (!holding && !journal_.wants_boundary() && now - limit_checked_ < kLimitCheckInterval) {
        return false;
    }
    limit_checked_ = now;
    if (!journal_.must_hold()) return false;
    hold(
        "the journal is at its limit and a subscription has not read its oldest changes; the "
        "source keeps its WAL until it has");
    return true;
}

/// Says so once, then waits a little; the caller tries again.
void DrainLoop::hold(const std::string& reason) {
    announce(DrainPhase::holding, reason);
    if (!worker_left_) {
        sleep(kHoldRetryMs);
    } else {
        gave_up_ = true;  // what is left in the ring is decoded again
    }
}

void DrainLoop::go_on() {
    announce(DrainPhase::draining, {});
}

void DrainLoop::sleep_until_data() {
    reader_.announce_wait();
    if (reader_.peek().empty() && !reader_.broken()) sleep(kForever);
    reader_.end_wait();
}

void DrainLoop::sleep(int timeout_ms) {
    // A held drain does not listen for data: there is some already.
    const int data_ready = timeout_ms == kForever ? connection_.descriptor(ring::kDataReady) : -1;
    pollfd events[] = {{wake_.get(), POLLIN, 0},
                       {worker_left_ ? -1 : connection_.socket(), POLLIN, 0},
                       {data_ready, POLLIN, 0}};
    if (::poll(events, std::size(events), timeout_ms) <= 0) return;
    if (events[0].revents != 0) silence_bell(wake_.get());
    if (events[1].revents != 0) look_at_socket();
    if (events[2].revents != 0) silence_bell(data_ready);
}

void DrainLoop::look_at_socket() {
    const auto news = connection_.read_news();
    if (news.refusal != nullptr) worker_words_ = Status::corruption(news.refusal);
    if (news.last_words) {
        worker_words_ = Status::retry(news.last_words->text);
        {
            const std::lock_guard lock(mutex_);
            status_.worker_sqlstate = news.last_words->sqlstate;
        }
        if (news.last_words->sqlstate == kShuttingDown && callbacks_.on_source_leaving)
            callbacks_.on_source_leaving();
    }
    worker_left_ = news.ended || news.refusal != nullptr;
}

/// Sync thread. Also called after a failed sync, so that a sleeping drain notices.
void DrainLoop::on_durable(Lsn durable_end_lsn) {
    // The worker accepts only what it has sent itself, not what an earlier one did.
    if (durable_end_lsn > durable_before_) acknowledge(durable_end_lsn);
    if (!journal_.failure().is_ok()) ring_bell(wake_.get());
}

void DrainLoop::acknowledge(Lsn lsn) {
    {
        const std::lock_guard lock(mutex_);
        if (lsn <= status_.acknowledged_lsn) return;
        status_.acknowledged_lsn = lsn;
        FANOUT_FAULT_HERE("drain.durable_unacknowledged");
        // SYNC POINT: release, after the sync; the worker acquires it before it confirms the slot.
        mapping_.ack()->durable_lsn.store(lsn, std::memory_order_release);
    }
    FANOUT_FAULT_HERE("drain.acknowledged");
    ring_bell(connection_.descriptor(ring::kSpaceReady));
}

void DrainLoop::stop() {
    stopping_.store(true);
    ring_bell(wake_.get());
}

DrainStatus DrainLoop::status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

DrainLoop::Turn DrainLoop::end(Status status) {
    journal_.set_durable_listener(nullptr);
    {
        const std::lock_guard lock(mutex_);
        status_.end = std::move(status);
    }
    announce(DrainPhase::ended, {});
    return Turn::ended;
}

void DrainLoop::announce(DrainPhase phase, const std::string& reason) {
    DrainStatus copy;
    {
        const std::lock_guard lock(mutex_);
        if (status_.phase == phase && status_.reason == reason) return;
        status_.phase = phase;
        status_.reason = reason;
        copy = status_;
    }
    if (callbacks_.on_change) callbacks_.on_change(copy);
}

}  // namespace fanout::drain
