// Group sync.
#include "sidecar/journal/syncer.hpp"

#include <algorithm>
#include <cstddef>

#include "fanout/base/fault_point.hpp"

namespace fanout::journal {

Syncer::Syncer(std::string directory, std::shared_ptr<Files> files, SegmentCatalog& catalog,
               std::chrono::milliseconds interval)
    : directory_(std::move(directory)),
      files_(std::move(files)),
      catalog_(catalog),
      interval_(interval) {
    // Recovery has synced and marked what it kept.
    if (const auto last = catalog_.last()) marked_segment_ = last->number();
    thread_ = std::thread([this] { run(); });
}

Syncer::~Syncer() {
    stop();
}

void Syncer::note(const SyncPoint& point) {
    if (!points_.push(point)) overflowed_.store(true, std::memory_order_release);
    work_.ring();
}

Status Syncer::sync_now() {
    std::unique_lock lock(mutex_);
    const std::uint64_t ticket = ++asked_;
    work_.ring();
    urgent_.ring();
    done_.wait(lock, [&] { return answered_ >= ticket || ended_; });
    return failure_;
}

void Syncer::stop() {
    const std::lock_guard lock(join_mutex_);
    if (!thread_.joinable()) return;
    (void)sync_now().is_ok();  // a failure stays to be read from failure()
    stopping_.store(true);
    work_.ring();
    urgent_.ring();
    thread_.join();
}

Status Syncer::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

void Syncer::set_listener(Listener listener) {
    const std::lock_guard lock(listener_mutex_);
    listener_ = std::move(listener);
}

void Syncer::run() {
    while (wait_for_work() && sync_once()) {
    }
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    done_.notify_all();
}

bool Syncer::sync_once() {
    pace();
    std::uint64_t asked = 0;
    {
        const std::lock_guard lock(mutex_);
        asked = asked_;
    }
    const SyncPoint target = take_target();
    last_sync_ = Doorbell::Clock::now();
    FANOUT_FAULT_HERE("journal.unsynced");
    const Status status = sync_to(target);
    FANOUT_FAULT_HERE("journal.synced");
    publish(target, status);
    {
        const std::lock_guard lock(mutex_);
        failure_ = status;
    }
    // Before sync_now() returns: who waited for it may count on the listener having been told.
    {
        const std::lock_guard lock(listener_mutex_);
        if (listener_) listener_(catalog_.durable_end_lsn.load(std::memory_order_acquire));
    }
    {
        const std::lock_guard lock(mutex_);
        answered_ = asked;
    }
    done_.notify_all();
    return status.is_ok();
}

bool Syncer::wait_for_work() {
    while (true) {
        const auto ticket = work_.ticket();
        if (points_.read_available() != 0 || overflowed_.load(std::memory_order_acquire)) {
            return true;
        }
        {
            const std::lock_guard lock(mutex_);
            if (asked_ != answered_) return true;
        }
        if (stopping_.load()) return false;
        work_.wait_until(ticket, Doorbell::Clock::time_point::max());
    }
}

/// Lets appends gather, unless somebody waits for this sync.
void Syncer::pace() {
    const auto due = last_sync_ + interval_;
    while (Doorbell::Clock::now() < due && !stopping_.load()) {
        const auto ticket = urgent_.ticket();
        {
            const std::lock_guard lock(mutex_);
            if (asked_ != answered_) return;
        }
        urgent_.wait_until(ticket, due);
    }
}

SyncPoint Syncer::take_target() {
    SyncPoint target{catalog_.synced.load(std::memory_order_relaxed),
                     catalog_.durable_end_lsn.load(std::memory_order_relaxed)};
    points_.consume_all([&](const SyncPoint& point) { target = point; });
    bool whole = overflowed_.exchange(false, std::memory_order_acq_rel);
    {
        const std::lock_guard lock(mutex_);
        whole = whole || asked_ != answered_;
    }
    if (whole) {
        // The end LSN first: the drain writes the bytes before it moves either word.
        target.end_lsn = catalog_.end_lsn.load(std::memory_order_acquire);
        target.offset = catalog_.appended.load(std::memory_order_acquire);
    }
    return target;
}

Status Syncer::sync_to(const SyncPoint& target) {
    const std::uint64_t synced = catalog_.synced.load(std::memory_order_relaxed);
    bool predecessor_is_durable = false;
    for (const auto& segment : catalog_.from_position(synced)) {
        // A segment that has no bytes yet matters only if it is the first of all.
        if (segment->base() >= target.offset && segment->base() != synced) break;
        if (segment->file() < 0) {
            predecessor_is_durable = true;
            continue;
        }
        const bool sealed = segment->end() != Segment::kOpen;
        auto status = sync_segment(*segment, predecessor_is_durable);
        if (!status.is_ok()) return status;
        predecessor_is_durable = sealed;
        if (sealed) segment->close_file();
    }
    return Status::ok();
}

Status Syncer::sync_segment(Segment& segment, bool predecessor_is_durable) {
    if (marked_segment_ < segment.number()) {
        if (auto status = files_->sync_directory(directory_); !status.is_ok()) return status;
        if (predecessor_is_durable) {
            const std::uint64_t mark = kPredecessorDurable;
            const auto* bytes = reinterpret_cast<const std::uint8_t*>(&mark);
            auto status = files_->write(segment.file(), segment.path(), {bytes, sizeof mark},
                                        offsetof(SegmentHeader, predecessor_durable));
            if (!status.is_ok()) return status;
        }
        marked_segment_ = segment.number();
    }
    return files_->sync(segment.file(), segment.path());
}

void Syncer::publish(const SyncPoint& target, const Status& status) {
    if (!status.is_ok()) return;
    if (target.offset > catalog_.synced.load(std::memory_order_relaxed)) {
        catalog_.synced.store(target.offset, std::memory_order_release);
    }
    if (target.end_lsn > catalog_.durable_end_lsn.load(std::memory_order_relaxed)) {
        catalog_.durable_end_lsn.store(target.end_lsn, std::memory_order_release);
    }
}

}  // namespace fanout::journal
