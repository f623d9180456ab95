// Puts the journal's parts together; no logic of its own beyond attaching and trimming.
#include "sidecar/journal/journal.hpp"

#include <algorithm>
#include <system_error>

#include "fanout/base/fault_point.hpp"
#include "fanout/base/lsn_text.hpp"
#include "sidecar/journal/doorbell.hpp"
#include "sidecar/journal/journal_writer.hpp"
#include "sidecar/journal/recovery.hpp"
#include "sidecar/journal/segment_catalog.hpp"
#include "sidecar/journal/syncer.hpp"

namespace fanout::journal {

namespace {

constexpr std::uint64_t kSegmentBytesMin = 64ULL << 10;
/// A limit on size holds at least this many segments, so that trimming one is enough to go on.
constexpr std::uint64_t kSegmentsInLimit = 4;

JournalOptions usable(JournalOptions options) {
    if (options.bytes_max != 0) {
        options.segment_bytes =
            std::min(options.segment_bytes, options.bytes_max / kSegmentsInLimit);
    }
    options.segment_bytes = std::max(options.segment_bytes, kSegmentBytesMin);
    return options;
}

}  // namespace

Journal::Journal(std::filesystem::path directory, SourceIdentity identity, JournalOptions options,
                 std::shared_ptr<Files> files)
    : directory_(std::move(directory)),
      identity_(std::move(identity)),
      options_(usable(options)),
      files_(std::move(files)),
      catalog_(std::make_unique<SegmentCatalog>()),
      doorbell_(std::make_unique<Doorbell>()),
      retention_(options_) {
    bytes_max_ = options_.bytes_max;
}

Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(const std::filesystem::path& directory,
                                               const SourceIdentity& identity,
                                               const JournalOptions& options,
                                               std::shared_ptr<Files> files) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return file_error("cannot create", directory.string(), error.value());
    SegmentHeader probe{};
    if (!put_identity(identity, probe)) {
        return Status::fatal("journal " + directory.string() +
                             ": the stream's name or identity is too long");
    }
    std::unique_ptr<Journal> journal(new Journal(directory, identity, options, std::move(files)));
    auto recovered = recover(directory.string(), identity, journal->options_.segment_bytes,
                             *journal->files_, *journal->catalog_);
    if (!recovered.is_ok()) return recovered.status();
    journal->recovery_ = recovered.value().report;
    journal->writer_ = std::make_unique<JournalWriter>(directory.string(), identity,
                                                       journal->options_.segment_bytes,
                                                       journal->files_, *journal->catalog_);
    journal->writer_->resume(recovered.value().state, std::move(recovered.value().relations));
    journal->syncer_ = std::make_unique<Syncer>(directory.string(), journal->files_,
                                                *journal->catalog_, options.sync_interval);
    return journal;
}

// ---- drain thread --------------------------------------------------------------------------

Status Journal::begin_attachment(Lsn start_lsn, std::uint32_t epoch) {
    if (catalog_->empty()) {
        if (auto status = writer_->begin(start_lsn); !status.is_ok()) return status;
    } else if (start_lsn > end_lsn()) {
        return Status::fatal("stream " + identity_.stream +
                             ": the source will send what commits "
                             "from " +
                             lsn_text(start_lsn) + " on, but the journal ends at " +
                             lsn_text(end_lsn()) +
                             "; changes in between would be lost. Somebody advanced or re-created "
                             "the slot: resync the subscriptions");
    }
    if (state().unfinished()) {
        if (auto status = writer_->append_abort(epoch); !status.is_ok()) return status;
    }
    doorbell_->ring();
    return sync_now();
}

Status Journal::prepare_append() {
    return writer_->roll_if_due();
}

bool Journal::wants_boundary() const {
    return writer_->wants_boundary();
}

Status Journal::append(const AppendPlan& plan) {
    if (auto status = writer_->append(plan); !status.is_ok()) return status;
    doorbell_->ring();
    if (plan.new_end_lsn != 0) {
        syncer_->note({catalog_->appended.load(std::memory_order_relaxed), plan.new_end_lsn});
    }
    return Status::ok();
}

const StreamState& Journal::state() const {
    return writer_->state();
}

// ---- any thread ----------------------------------------------------------------------------

Lsn Journal::first_lsn() const {
    return catalog_->first_lsn();
}
Lsn Journal::end_lsn() const {
    return catalog_->end_lsn.load(std::memory_order_acquire);
}
Lsn Journal::durable_end_lsn() const {
    return catalog_->durable_end_lsn.load(std::memory_order_acquire);
}
std::uint64_t Journal::bytes() const {
    return catalog_->bytes();
}
bool Journal::near_limit() const {
    const std::uint64_t bytes_max = bytes_max_;
    return bytes_max != 0 && catalog_->bytes() / 4 >= bytes_max / 5;
}

std::uint64_t Journal::appended_bytes_total() const {
    return catalog_->appended.load(std::memory_order_acquire);
}

std::unique_ptr<JournalReader> Journal::new_reader() {
    return std::make_unique<JournalReader>(*catalog_, *doorbell_);
}

Status Journal::sync_now() {
    return syncer_->sync_now();
}

void Journal::set_durable_listener(std::function<void(Lsn)> listener) {
    syncer_->set_listener(std::move(listener));
}

Status Journal::failure() const {
    return syncer_->failure();
}

Status Journal::discard_unsynced() {
    syncer_->stop();
    const std::uint64_t synced = catalog_->synced.load();
    for (const auto& segment : catalog_->from_position(synced)) {
        if (segment->file() < 0) continue;
        if (segment->base() > synced) {
            if (auto status = files_->remove(segment->path()); !status.is_ok()) return status;
            continue;
        }
        auto status =
            files_->truncate(segment->file(), segment->path(), segment->file_offset(synced));
        if (!status.is_ok()) return status;
    }
    return Status::ok();
}

// ---- retention -----------------------------------------------------------------------------

void Journal::want(SubscriptionId subscription, Lsn from) {
    retention_.want(subscription, from);
}
void Journal::forget(SubscriptionId subscription) {
    retention_.forget(subscription);
}

void Journal::set_limits(const JournalOptions& options) {
    const auto limits = usable(options);
    retention_.set_limits(limits);
    bytes_max_ = limits.bytes_max;
    writer_->set_segment_bytes(limits.segment_bytes);
}

TrimReport Journal::trim() {
    const std::lock_guard lock(trim_mutex_);
    TrimReport report;
    const auto sealed = catalog_->sealed(catalog_->synced.load(std::memory_order_acquire));
    std::uint64_t sealed_bytes = 0;
    for (const auto& segment : sealed)
        sealed_bytes += segment.bytes;
    const bool limits_apply = !catalog_->transaction_spans_segments.load();
    auto decision = retention_.decide(sealed, catalog_->bytes() - sealed_bytes,
                                      std::chrono::system_clock::now(), limits_apply);
    report.laggards = std::move(decision.laggards);
    for (const auto& segment : catalog_->remove_oldest(decision.remove_count)) {
        const std::uint64_t bytes = segment->file_offset(segment->end());
        if (auto status = files_->remove(segment->path()); !status.is_ok()) report.status = status;
        FANOUT_FAULT_HERE("journal.segment_removed");
        ++report.segments_removed;
        report.bytes_removed += bytes;
    }
    return report;
}

bool Journal::over_limit() const {
    const auto sealed = catalog_->sealed(catalog_->synced.load(std::memory_order_acquire));
    const auto age = sealed.empty() ? std::chrono::system_clock::duration::zero()
                                    : std::chrono::system_clock::now() - sealed[0].created_at;
    return retention_.over_limit(catalog_->bytes(), age);
}

bool Journal::must_hold() {
    over_limit_ = retention_.holds_at_limit() && over_limit();
    if (!over_limit_ || state().in_transaction()) return false;
    // What is in the open segment can only go once it is sealed.
    if (!writer_->roll_if_due().is_ok()) return true;
    (void)trim();
    over_limit_ = over_limit();
    return over_limit_;
}

}  // namespace fanout::journal
