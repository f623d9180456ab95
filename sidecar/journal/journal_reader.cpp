// Reading: one record is a bounds check, a checksum and a switch; segments change rarely.
#include "sidecar/journal/journal_reader.hpp"

#include <cstring>
#include <filesystem>
#include <utility>

#include "fanout/base/lsn_text.hpp"
#include "sidecar/journal/doorbell.hpp"
#include "sidecar/journal/segment_catalog.hpp"
#include "sidecar/journal/whole_record.hpp"

namespace fanout::journal {

using wire::Kind;

namespace {

/// What a reader has passed is let go in stretches of this size: a system call costs more than a
/// few pages.
constexpr std::uint64_t kLetGoBytes = 4ULL << 20;

}  // namespace

JournalReader::JournalReader(SegmentCatalog& catalog, Doorbell& doorbell)
    : catalog_(catalog), doorbell_(doorbell) {}

JournalReader::~JournalReader() = default;

bool JournalReader::seek(Lsn from) {
    release();
    segment_.reset();
    mapping_.reset();
    group_ = {};
    status_ = trouble_ = Status::ok();
    from_ = from;
    skipping_ = true;
    preamble_next_ = 0;
    const auto outcome = find_start();
    return outcome != ReadOutcome::trimmed && outcome != ReadOutcome::failed;
}

ReadOutcome JournalReader::find_start() {
    auto segment = catalog_.find(from_);
    if (!segment) {
        if (catalog_.empty()) return ReadOutcome::at_end;
        return fail_trimmed();
    }
    position_ = segment->base();
    preamble_next_ = segment->header().preamble_bytes != 0 ? kSegmentHeaderBytes : 0;
    return enter(std::move(segment)) ? ReadOutcome::record : fail_trimmed();
}

/// False if retention removed the file in this very moment.
bool JournalReader::enter(std::shared_ptr<Segment> segment) {
    auto mapping = segment->map();
    if (!mapping.is_ok()) return false;
    if (mapping_) retired_.push_back({records_, std::move(mapping_)});
    mapping_ = std::move(mapping.value());
    segment_ = std::move(segment);
    resident_from_ = 0;
    return true;
}

ReadOutcome JournalReader::enter_successor() {
    auto successor = catalog_.with_number(segment_->number() + 1);
    if (!successor || !enter(std::move(successor))) return fail_trimmed();
    return ReadOutcome::record;
}

ReadOutcome JournalReader::next(wire::RecordView& out) {
    if (!status_.is_ok()) return failed_outcome_;
    if (!segment_) {
        const auto outcome = find_start();
        if (outcome != ReadOutcome::record) return outcome;
    }
    while (true) {
        const bool in_preamble = preamble_next_ != 0;
        // SYNC POINT: pairs with the release in JournalWriter::append. `appended` before `end`:
        // what is published behind a sealed end lies in the successor, which is listed by then.
        const std::uint64_t appended = catalog_.appended.load(std::memory_order_acquire);
        const std::uint64_t end = segment_->end();
        std::uint64_t offset = preamble_next_;
        std::uint64_t limit = segment_->data_start();
        if (!in_preamble) {
            if (position_ == appended) return ReadOutcome::at_end;
            if (position_ == end) {
                const auto outcome = enter_successor();
                if (outcome != ReadOutcome::record) return outcome;
                continue;
            }
            offset = segment_->file_offset(position_);
            limit = segment_->file_offset(appended < end ? appended : end);
        }
        const auto refusal = wire::read_record({mapping_->data() + offset, limit - offset}, out);
        if (refusal != wire::Refusal::none) return refuse(offset, wire::refusal_text(refusal));
        const std::uint64_t length = out.whole.size();
        if (in_preamble) {
            preamble_next_ = offset + length == limit ? 0 : offset + length;
        } else {
            position_ += length;
        }
        const Step step = take(out);
        if (step == Step::deliver) {
            ++records_;
            return ReadOutcome::record;
        }
        if (step == Step::fail && !trouble_.is_ok()) return fail(trouble_);
        if (step == Step::fail) return refuse(offset, refusal_);
    }
}

/// Whether a record that begins here is for the lane. Ends the skipping at the first position
/// that is wanted.
bool JournalReader::is_wanted(Kind kind, std::uint8_t flags, Lsn lsn) {
    if (!skipping_ || kind == Kind::relation) return true;
    const bool opens_position = kind == Kind::begin || kind == Kind::keepalive ||
                                (kind == Kind::message && (flags & wire::kFlagTransactional) == 0);
    if (!opens_position || lsn < from_) return false;
    skipping_ = false;
    return true;
}

JournalReader::Step JournalReader::take(wire::RecordView& record) {
    const Kind kind = record.kind();
    if (kind == Kind::continuation) return take_piece(record);
    if (group_.total != 0) {
        if (kind != Kind::abort) {
            refusal_ = "a record stands between the pieces of another";
            return Step::fail;
        }
        group_ = {};
    }
    // An abort without a position ends only pieces, of which the lane has seen nothing.
    if (kind == Kind::abort && record.header.lsn == 0) return Step::pass;
    return is_wanted(kind, record.header.flags, record.header.lsn) ? Step::deliver : Step::pass;
}

JournalReader::Step JournalReader::take_piece(wire::RecordView& record) {
    wire::BodyCursor cursor(record.body);
    const auto piece = cursor.take<wire::ContinuationBody>();
    const auto bytes = cursor.take_bytes(cursor.rest());
    refusal_ = "a piece is out of order";
    if (piece.offset == 0 && group_.total == 0) {
        if (begin_group(bytes, piece.total_size) == Step::fail) return Step::fail;
    } else if (group_.total == 0 && skipping_) {
        // The segment begins inside a record whose start is in the one before.
        return Step::pass;
    }
    if (piece.offset != group_.next || piece.total_size != group_.total ||
        bytes.size() > group_.total - group_.next) {
        return Step::fail;
    }
    if (group_.whole) {
        trouble_ = group_.whole->append(bytes);
        if (!trouble_.is_ok()) return Step::fail;
        let_go_passed();
    }
    group_.next += bytes.size();
    if (group_.next != group_.total) return Step::pass;
    return end_group(record);
}

JournalReader::Step JournalReader::begin_group(wire::Bytes bytes, std::uint64_t total) {
    wire::RecordHeader inner{};
    if (bytes.size() < sizeof inner || total > wire::kWholeRecordBytesMax) return Step::fail;
    std::memcpy(&inner, bytes.data(), sizeof inner);
    group_.total = total;
    if (!is_wanted(static_cast<Kind>(inner.kind), inner.flags, inner.lsn)) return Step::pass;
    const auto directory = std::filesystem::path(segment_->path()).parent_path();
    auto made = WholeRecord::make(total, directory.string());
    trouble_ = made.status();
    if (!made.is_ok()) return Step::fail;
    group_.whole = std::move(made.value());
    return Step::pass;
}

JournalReader::Step JournalReader::end_group(wire::RecordView& record) {
    Group group = std::exchange(group_, Group{});
    if (!group.whole) return Step::pass;
    const auto bytes = group.whole->bytes();
    trouble_ = bytes.status();
    if (!bytes.is_ok()) return Step::fail;
    const auto refusal = wire::read_record(bytes.value(), record, wire::kWholeRecordBytesMax);
    refusal_ = wire::refusal_text(refusal);
    if (refusal != wire::Refusal::none) return Step::fail;
    whole_records_.push_back({records_ + 1, std::move(group.whole)});
    return Step::deliver;
}

ReadOutcome JournalReader::fail(Status status) {
    status_ = std::move(status);
    failed_outcome_ = ReadOutcome::failed;
    return failed_outcome_;
}

ReadOutcome JournalReader::fail_trimmed() {
    fail(Status::fatal("the journal begins at " + lsn_text(catalog_.first_lsn()) +
                       ", but the subscription needs it from " + lsn_text(from_) +
                       " on: retention let go what it had not read; resync the subscription"));
    failed_outcome_ = ReadOutcome::trimmed;
    return failed_outcome_;
}

ReadOutcome JournalReader::refuse(std::uint64_t file_offset, const char* why) {
    return fail(Status::corruption(
        "journal segment " + segment_->path() + ", offset " + std::to_string(file_offset) + ": " +
        why +
        "; nothing of it was delivered. Check the disk, restore the file from a copy, or "
        "resync the subscription"));
}

WakeReason JournalReader::wait(std::chrono::microseconds timeout) {
    const auto deadline = Doorbell::Clock::now() + timeout;
    while (true) {
        const auto ticket = doorbell_.ticket();
        if (interrupted_.exchange(false)) return WakeReason::interrupted;
        const bool more = segment_ ? backlog_bytes() != 0 : !catalog_.empty();
        if (more || !status_.is_ok()) return WakeReason::data;
        if (!doorbell_.wait_until(ticket, deadline)) return WakeReason::timeout;
    }
}

void JournalReader::interrupt() {
    interrupted_.store(true);
    doorbell_.ring();
}

void JournalReader::release_before(std::uint64_t first_kept) {
    while (!retired_.empty() && retired_.front().last_record < first_kept)
        retired_.pop_front();
    while (!whole_records_.empty() && whole_records_.front().last_record < first_kept)
        whole_records_.pop_front();
    if (!segment_ || preamble_next_ != 0) return;
    let_go_passed();
}

void JournalReader::let_go_passed() {
    // Pages that a kept view still points to come back from the file when it is read.
    const std::uint64_t passed = segment_->file_offset(position_);
    if (passed < resident_from_ + kLetGoBytes) return;
    mapping_->let_go(resident_from_, passed);
    resident_from_ = passed;
}

std::uint64_t JournalReader::backlog_bytes() const {
    const std::uint64_t appended = catalog_.appended.load(std::memory_order_acquire);
    return segment_ ? appended - position_ : 0;
}

}  // namespace fanout::journal
