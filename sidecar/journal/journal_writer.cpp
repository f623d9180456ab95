// Append and roll. Whatever fails leaves the journal as it was.
#include "sidecar/journal/journal_writer.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include "fanout/base/fault_point.hpp"
#include "fanout/wire/record_writer.hpp"
#include "sidecar/journal/journal.hpp"

namespace fanout::journal {

namespace {

/// Room for the longest relation record, which is never split between segments.
constexpr std::uint64_t kRelationSlack = 16ULL << 20;

std::int64_t now_microseconds() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

JournalWriter::JournalWriter(std::string directory, SourceIdentity identity,
                             std::uint64_t segment_bytes, std::shared_ptr<Files> files,
                             SegmentCatalog& catalog)
    : directory_(std::move(directory)),
      identity_(std::move(identity)),
      segment_bytes_(segment_bytes),
      next_segment_bytes_(segment_bytes),
      files_(std::move(files)),
      catalog_(catalog) {}

void JournalWriter::resume(const StreamState& state, RelationTable relations) {
    state_ = state;
    relations_ = std::move(relations);
    open_ = catalog_.last();
}

std::uint64_t JournalWriter::map_bytes(std::uint64_t data_start, std::uint64_t segment_bytes) {
    return data_start + 2 * segment_bytes + kAppendBytesMax + kRelationSlack;
}

std::uint64_t JournalWriter::used() const {
    return open_ ? catalog_.appended.load(std::memory_order_relaxed) - open_->base() : 0;
}

Status JournalWriter::begin(Lsn first_lsn) {
    state_ = StreamState{};
    state_.end_lsn = first_lsn;
    relations_.clear();
    if (auto status = create_segment(1, first_lsn); !status.is_ok()) return status;
    catalog_.end_lsn.store(first_lsn, std::memory_order_release);
    return Status::ok();
}

bool JournalWriter::roll_is_due() const {
    const std::uint64_t bytes = used();
    if (bytes < segment_bytes_) return false;
    if (!state_.unfinished()) return true;
    // A transaction is split only if it is larger than a segment by itself.
    const bool in_relation = state_.group_kind == static_cast<std::uint32_t>(wire::Kind::relation);
    return bytes >= 2 * segment_bytes_ && !in_relation;
}

Status JournalWriter::roll_if_due() {
    segment_bytes_ = std::min(segment_bytes_, next_segment_bytes_.load());
    if (!open_ || !roll_is_due()) return Status::ok();
    const auto full = open_;
    const std::uint64_t end = catalog_.appended.load(std::memory_order_relaxed);
    const Lsn first_lsn = state_.in_transaction()
                              ? state_.open_end_lsn
                              : std::max(state_.end_lsn, state_.last_message_lsn + 1);
    if (auto status = create_segment(full->number() + 1, first_lsn); !status.is_ok()) return status;
    if (state_.in_transaction()) catalog_.transaction_spans_segments.store(true);
    // Gives the reserved room back; if that fails the zeros stay, and readers know the end anyway.
    (void)files_->truncate(full->file(), full->path(), full->file_offset(end)).is_ok();
    // Only now: a reader that sees the end goes on to the next segment, and the sync thread may
    // close the file.
    full->seal(end);
    return Status::ok();
}

Status JournalWriter::create_segment(std::uint64_t number, Lsn first_lsn) {
    const std::string path = directory_ + "/" + segment_file_name(number);
    const std::uint64_t segment_bytes = next_segment_bytes_.load();
    auto created = files_->create(path);
    if (!created.is_ok()) return created.status();
    FileDescriptor file = std::move(created.value());
    const auto preamble = relations_.preamble();
    SegmentHeader header{};
    header.magic = kSegmentMagic;
    header.version = kSegmentVersion;
    header.wire_version = wire::kWireVersion;
    header.number = number;
    header.base = catalog_.appended.load(std::memory_order_relaxed);
    header.first_lsn = first_lsn;
    header.created_at = now_microseconds();
    header.preamble_bytes = preamble.size();
    header.preamble_checksum = XXH3_64bits(preamble.data(), preamble.size());
    header.state = state_;
    if (!put_identity(identity_, header)) {
        return Status::fatal("journal " + directory_ +
                             ": the stream's name or identity is too long");
    }
    if (auto status = write_head(file.get(), path, header, preamble, segment_bytes);
        !status.is_ok()) {
        (void)files_->remove(path).is_ok();
        return status;
    }
    const std::uint64_t data_start = kSegmentHeaderBytes + preamble.size();
    open_ = std::make_shared<Segment>(path, header, std::move(file),
                                      map_bytes(data_start, segment_bytes));
    FANOUT_FAULT_HERE("journal.segment_created");
    segment_bytes_ = segment_bytes;
    tail_is_dirty_ = false;
    catalog_.add(open_);
    return Status::ok();
}

Status JournalWriter::write_head(int fd, const std::string& path, SegmentHeader& header,
                                 std::span<const std::uint8_t> preamble,
                                 std::uint64_t segment_bytes) {
    const std::uint64_t data_start = kSegmentHeaderBytes + preamble.size();
    if (auto status = files_->allocate(fd, path, data_start + segment_bytes); !status.is_ok()) {
        return status;
    }
    header.checksum = header_checksum(header);
    std::vector<std::uint8_t> head(kSegmentHeaderBytes, 0);
    std::memcpy(head.data(), &header, sizeof header);
    head.insert(head.end(), preamble.begin(), preamble.end());
    return files_->write(fd, path, head, 0);
}

Status JournalWriter::clean_tail() {
    if (!tail_is_dirty_) return Status::ok();
    // What a failed append left must not be taken for records after a crash.
    const std::uint64_t end = catalog_.appended.load(std::memory_order_relaxed);
    auto status = files_->truncate(open_->file(), open_->path(), open_->file_offset(end));
    if (status.is_ok()) tail_is_dirty_ = false;
    return status;
}

Status JournalWriter::append(const AppendPlan& plan) {
    if (plan.runs.empty()) return Status::ok();
    if (!open_) return Status::fatal("journal " + directory_ + ": nothing is attached");
    if (auto status = clean_tail(); !status.is_ok()) return status;
    std::uint64_t end = catalog_.appended.load(std::memory_order_relaxed);
    for (const auto& run : plan.runs) {
        if (FANOUT_FAULT_POINT("journal.append_half")) {
            const auto half = run.subspan(0, run.size() / 2);
            (void)files_->write(open_->file(), open_->path(), half, open_->file_offset(end));
            FANOUT_FAULT_HERE("journal.half_appended");
        }
        auto status = files_->write(open_->file(), open_->path(), run, open_->file_offset(end));
        if (!status.is_ok()) {
            tail_is_dirty_ = true;
            (void)clean_tail().is_ok();
            return status;
        }
        end += run.size();
    }
    FANOUT_FAULT_HERE("journal.written");
    for (const auto& relation : plan.relations)
        relations_.learn(relation);
    state_ = plan.state_after;
    if (!state_.in_transaction()) catalog_.transaction_spans_segments.store(false);
    if (plan.new_end_lsn != 0) {
        catalog_.end_lsn.store(plan.new_end_lsn, std::memory_order_release);
    }
    catalog_.appended.store(end, std::memory_order_release);
    return Status::ok();
}

Status JournalWriter::append_abort(std::uint32_t epoch) {
    std::array<std::uint8_t, sizeof(wire::RecordHeader)> bytes{};
    wire::RecordWriter writer(bytes.data(), bytes.size());
    writer.start(wire::Kind::abort, 0, epoch, state_.open_commit_lsn, 0);
    const std::size_t length = writer.finish();
    AppendPlan plan;
    plan.clear(state_);
    wire::RecordView record;
    if (wire::read_frame({bytes.data(), length}, record) != wire::Refusal::none ||
        plan.state_after.advance(record) != nullptr) {
        return Status::ok();  // nothing was open
    }
    plan.runs.push_back({bytes.data(), length});
    return append(plan);
}

}  // namespace fanout::journal
