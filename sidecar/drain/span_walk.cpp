// Verify, decide, plan.
#include "sidecar/drain/span_walk.hpp"

#include "sidecar/journal/segment_catalog.hpp"

namespace fanout::drain {

using wire::Kind;

namespace {

/// A stretch goes on to the next boundary until it has this much, and never has more than the most
/// an append may bring: the worker gets its room back early, a write stays cheap per byte.
constexpr std::size_t kUsefulBytes = 1U << 20;

}  // namespace

bool SpanWalk::plan(wire::Bytes bytes, const journal::StreamState& state, bool boundary_wanted) {
    const bool whole = walk(bytes, state, boundary_wanted);
    if (append_.state_after.end_lsn != state.end_lsn) {
        append_.new_end_lsn = append_.state_after.end_lsn;
    }
    return whole;
}

bool SpanWalk::walk(wire::Bytes bytes, const journal::StreamState& state, bool boundary_wanted) {
    bytes_before_ += consumed_;
    consumed_ = 0;
    skipped_end_lsn_ = 0;
    news_.clear();
    append_.clear(state);
    while (consumed_ < bytes.size()) {
        wire::RecordView record;
        const auto refusal = wire::read_record(bytes.subspan(consumed_), record);
        if (refusal != wire::Refusal::none) return refuse(nullptr, wire::refusal_text(refusal));
        if (consumed_ + record.whole.size() > journal::kAppendBytesMax) break;
        if (!take(record)) return false;
        consumed_ += record.whole.size();
        ++records_;
        const bool boundary = !append_.state_after.unfinished() && !skipping_transaction_;
        if (boundary && (boundary_wanted || consumed_ >= kUsefulBytes)) break;
    }
    return true;
}

bool SpanWalk::take(const wire::RecordView& record) {
    if (record.header.epoch != epoch_) return refuse(&record, "it belongs to another attachment");
    if (fate_of(record) == Fate::skip) return true;
    journal::StreamState& state = append_.state_after;
    const bool relation = state.is_relation(record);
    if (const char* wrong = state.advance(record)) return refuse(&record, wrong);
    keep_bytes(record.whole);
    if (relation) append_.relations.push_back(record.whole);
    note(record);
    return true;
}

SpanWalk::Fate SpanWalk::fate_of(const wire::RecordView& record) {
    const Kind kind = record.kind();
    if (kind == Kind::continuation) return fate_of_piece(record);
    const Fate fate = fate_of_start(kind, record.header.flags, record.header.lsn);
    if (fate == Fate::skip && (kind == Kind::commit || kind == Kind::abort)) {
        skipping_transaction_ = false;
        wire::BodyCursor cursor(record.body);
        if (kind == Kind::commit) skipped_end_lsn_ = cursor.take<wire::CommitBody>().end_lsn;
    }
    return fate;
}

/// All pieces of a record share the fate of the first, which holds the record's own header.
SpanWalk::Fate SpanWalk::fate_of_piece(const wire::RecordView& record) {
    wire::BodyCursor cursor(record.body);
    if (cursor.take<wire::ContinuationBody>().offset == 0 && !append_.state_after.in_group()) {
        const auto inner = cursor.take<wire::RecordHeader>();
        const auto kind = static_cast<Kind>(inner.kind);
        skipping_group_ = fate_of_start(kind, inner.flags, inner.lsn) == Fate::skip;
    }
    return skipping_group_ ? Fate::skip : Fate::keep;
}

SpanWalk::Fate SpanWalk::fate_of_start(Kind kind, std::uint8_t flags, Lsn lsn) {
    const journal::StreamState& state = append_.state_after;
    // The worker announces a table once in an attachment: what it says inside a transaction that
    // is left out holds for those that are not.
    if (kind == Kind::relation) return Fate::keep;
    if (skipping_transaction_) return Fate::skip;
    if (state.in_transaction()) return Fate::keep;
    if (kind == Kind::begin && lsn < state.end_lsn) {
        skipping_transaction_ = true;
        ++transactions_skipped_;
        return Fate::skip;
    }
    if (kind == Kind::message && (flags & wire::kFlagTransactional) == 0 &&
        (lsn < state.end_lsn || lsn <= state.last_message_lsn)) {
        return Fate::skip;
    }
    const bool report_requested = (flags & wire::kFlagReportRequested) != 0;
    if (kind == Kind::keepalive && lsn <= state.end_lsn && !report_requested) return Fate::skip;
    return Fate::keep;
}

void SpanWalk::keep_bytes(wire::Bytes record) {
    auto& runs = append_.runs;
    if (!runs.empty() && runs.back().data() + runs.back().size() == record.data()) {
        runs.back() = {runs.back().data(), runs.back().size() + record.size()};
    } else {
        runs.push_back(record);
    }
}

void SpanWalk::note(const wire::RecordView& record) {
    switch (record.kind()) {
        case Kind::message:
            if (const auto news = read_config_message(record)) open_news_.push_back(*news);
            break;
        case Kind::commit:
            news_.insert(news_.end(), open_news_.begin(), open_news_.end());
            open_news_.clear();
            break;
        case Kind::begin:
        case Kind::abort:
            open_news_.clear();
            break;
        default:
            break;
    }
}

bool SpanWalk::refuse(const wire::RecordView* record, const char* why) {
    refusal_ = "ring, byte " + std::to_string(bytes_before_ + consumed_) + " of epoch " +
               std::to_string(epoch_);
    if (record != nullptr) refusal_ += ", record kind " + std::to_string(record->header.kind);
    refusal_ += ": ";
    refusal_ += why;
    refusal_ += "; nothing of it was kept or confirmed, attaching again decodes it anew";
    return false;
}

}  // namespace fanout::drain
