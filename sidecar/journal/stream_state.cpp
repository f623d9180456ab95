// The grammar of a stream of records, one record at a time; the tables' raw records.
#include "sidecar/journal/stream_state.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace fanout::journal {

using wire::Kind;

namespace {

/// A relation record is never split between segments, so that a segment's preamble can hold it
/// whole; this bounds what that costs. 1600 columns with the longest names are below 1 MiB.
constexpr std::uint64_t kRelationBytesMax = 16ULL << 20;

bool may_come_in_pieces(Kind kind) {
    switch (kind) {
        case Kind::relation:
        case Kind::insert:
        case Kind::update:
        case Kind::remove:
        case Kind::truncate:
        case Kind::message:
        case Kind::ddl:
        case Kind::filtered:
        case Kind::rewritten:
            return true;
        default:
            return false;
    }
}

Oid32 table_of(const std::uint8_t* relation_body) {
    Oid32 table = 0;
    static_assert(offsetof(wire::RelationBody, relation) == 0);
    std::memcpy(&table, relation_body, sizeof table);
    return table;
}

}  // namespace

bool StreamState::is_relation(const wire::RecordView& record) const {
    if (record.kind() == Kind::relation) return true;
    if (record.kind() != Kind::continuation) return false;
    if (in_group()) return group_kind == static_cast<std::uint32_t>(Kind::relation);
    wire::BodyCursor cursor(record.body);
    cursor.take<wire::ContinuationBody>();
    const auto inner = cursor.take<wire::RecordHeader>();
    return cursor.ok() && static_cast<Kind>(inner.kind) == Kind::relation;
}

const char* StreamState::advance(const wire::RecordView& record) {
    const Kind kind = record.kind();
    if (kind == Kind::continuation) return take_piece(record);
    if (kind == Kind::abort) {
        if (!unfinished()) return "an abort stands where nothing is open";
        open_commit_lsn = open_end_lsn = open_index = 0;
        group_total = group_next = group_kind = 0;
        return nullptr;
    }
    if (in_group()) return "a record stands between the pieces of another";
    if (kind == Kind::begin) return begin(record);
    if (kind == Kind::commit) return commit(record);
    return take_whole(kind, record.header.flags, record.header.lsn, record.header.index);
}

const char* StreamState::take_piece(const wire::RecordView& record) {
    wire::BodyCursor cursor(record.body);
    const auto piece = cursor.take<wire::ContinuationBody>();
    if (!cursor.ok()) return "a piece is cut short";
    if (piece.offset != group_next) return "a piece is out of order";
    if (!in_group()) {
        const auto inner = cursor.take<wire::RecordHeader>();
        cursor.take<std::uint64_t>();  // enough to hold the table of a relation record
        if (!cursor.ok()) return "the first piece of a record is too short";
        const auto kind = static_cast<Kind>(inner.kind);
        if (!may_come_in_pieces(kind)) return "a kind that may not come in pieces does";
        if (piece.total_size > wire::kWholeRecordBytesMax ||
            (kind == Kind::relation && piece.total_size > kRelationBytesMax) ||
            piece.total_size != inner.length) {
            return "a record in pieces has an impossible size";
        }
        if (const char* wrong = take_whole(kind, inner.flags, inner.lsn, inner.index)) return wrong;
        group_total = piece.total_size;
        group_kind = inner.kind;
    } else if (piece.total_size != group_total) {
        return "the pieces of a record do not agree on its size";
    }
    const std::uint64_t size = record.body.size() - sizeof piece;
    const bool last = (record.header.flags & wire::kFlagLastPiece) != 0;
    // Records are multiples of 8 long, so a piece has no padding and must end exactly.
    if (size == 0 || size > group_total - group_next) return "a piece reaches beyond its record";
    group_next += size;
    if (last != (group_next == group_total)) return "the last piece is not where the record ends";
    if (last) group_total = group_next = group_kind = 0;
    return nullptr;
}

const char* StreamState::begin(const wire::RecordView& record) {
    if (in_transaction()) return "a transaction begins inside another";
    wire::BodyCursor cursor(record.body);
    const auto body = cursor.take<wire::BeginBody>();
    const Lsn lsn = record.header.lsn;
    if (!cursor.ok() || lsn == 0 || body.end_lsn <= lsn) return "a begin has impossible positions";
    if (lsn < end_lsn) return "a transaction commits before the end of the stream";
    open_commit_lsn = lsn;
    open_end_lsn = body.end_lsn;
    open_index = 0;
    return nullptr;
}

const char* StreamState::commit(const wire::RecordView& record) {
    if (!in_transaction()) return "a commit stands outside a transaction";
    wire::BodyCursor cursor(record.body);
    const auto body = cursor.take<wire::CommitBody>();
    if (!cursor.ok() || record.header.lsn != open_commit_lsn || body.end_lsn != open_end_lsn) {
        return "a commit does not match its begin";
    }
    if (body.change_count < open_index) return "a commit counts fewer changes than have come";
    last_commit_lsn = open_commit_lsn;
    end_lsn = std::max(end_lsn, open_end_lsn);
    open_commit_lsn = open_end_lsn = open_index = 0;
    return nullptr;
}

const char* StreamState::take_whole(Kind kind, std::uint8_t flags, Lsn lsn, std::uint64_t index) {
    switch (kind) {
        case Kind::relation:
            return nullptr;
        case Kind::keepalive:
            if (in_transaction()) return "a keepalive stands inside a transaction";
            end_lsn = std::max(end_lsn, lsn);
            return nullptr;
        case Kind::message:
            if ((flags & wire::kFlagTransactional) != 0) break;
            if (in_transaction()) return "a message from outside stands inside a transaction";
            if (lsn < end_lsn || lsn <= last_message_lsn) return "a message lies in the past";
            last_message_lsn = lsn;
            return nullptr;
        case Kind::filtered:
            if (!in_transaction()) return "a count of rows stands outside a transaction";
            return nullptr;
        case Kind::insert:
        case Kind::update:
        case Kind::remove:
        case Kind::truncate:
        case Kind::ddl:
        case Kind::sequence:
        case Kind::unjudged:
        case Kind::rewritten:
            break;
        default:
            return "a record of this kind may not come in this version";
    }
    if (!in_transaction()) return "a change stands outside a transaction";
    if (lsn != open_commit_lsn) return "a change carries another transaction's position";
    if (index <= open_index) return "the positions of a transaction do not grow";
    open_index = index;
    return nullptr;
}

void RelationTable::learn(wire::Bytes record) {
    constexpr std::size_t kHeader = sizeof(wire::RecordHeader);
    wire::RecordView view;
    if (wire::read_frame(record, view) != wire::Refusal::none) return;
    if (view.kind() == wire::Kind::relation) {
        if (view.body.size() < sizeof(wire::RelationBody)) return;
        put(view.header, table_of(view.body.data()), record);
        return;
    }
    wire::BodyCursor cursor(view.body);
    const auto piece = cursor.take<wire::ContinuationBody>();
    if (piece.offset == 0) arriving_.clear();
    arriving_.insert(arriving_.end(), record.begin(), record.end());
    if ((view.header.flags & wire::kFlagLastPiece) == 0) return;
    constexpr std::size_t kInnerBody = kHeader + sizeof(wire::ContinuationBody) + kHeader;
    if (arriving_.size() >= kInnerBody + sizeof(wire::RelationBody)) {
        wire::RecordHeader inner;
        std::memcpy(&inner, arriving_.data() + kInnerBody - kHeader, kHeader);
        put(inner, table_of(arriving_.data() + kInnerBody), arriving_);
    }
    arriving_.clear();
}

void RelationTable::put(const wire::RecordHeader& header, Oid32 table, wire::Bytes bytes) {
    auto& records = in_force_[table];
    if ((header.flags & wire::kFlagAlso) == 0) records.clear();
    records.insert(records.end(), bytes.begin(), bytes.end());
}

void RelationTable::clear() {
    in_force_.clear();
    arriving_.clear();
}

std::vector<std::uint8_t> RelationTable::preamble() const {
    std::vector<std::uint8_t> out;
    for (const auto& [table, bytes] : in_force_)
        out.insert(out.end(), bytes.begin(), bytes.end());
    return out;
}

}  // namespace fanout::journal
