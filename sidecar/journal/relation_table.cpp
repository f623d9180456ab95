// Keeps raw relation records by table.
#include "sidecar/journal/relation_table.hpp"

#include <cstring>

namespace fanout::journal {

namespace {

Oid32 table_of(const std::uint8_t* relation_body) {
    Oid32 table = 0;
    static_assert(offsetof(wire::RelationBody, relation) == 0);
    std::memcpy(&table, relation_body, sizeof table);
    return table;
}

}  // namespace

void RelationTable::learn(wire::Bytes record) {
    constexpr std::size_t kHeader = sizeof(wire::RecordHeader);
    wire::RecordView view;
    if (wire::read_frame(record, view) != wire::Refusal::none) return;
    if (view.kind() == wire::Kind::relation) {
        if (view.body.size() < sizeof(wire::RelationBody)) return;
        in_force_[table_of(view.body.data())].assign(record.begin(), record.end());
        return;
    }
    wire::BodyCursor cursor(view.body);
    const auto piece = cursor.take<wire::ContinuationBody>();
    if (piece.offset == 0) arriving_.clear();
    arriving_.insert(arriving_.end(), record.begin(), record.end());
    if ((view.header.flags & wire::kFlagLastPiece) == 0) return;
    constexpr std::size_t kInnerBody = kHeader + sizeof(wire::ContinuationBody) + kHeader;
    if (arriving_.size() >= kInnerBody + sizeof(wire::RelationBody)) {
        in_force_[table_of(arriving_.data() + kInnerBody)] = std::move(arriving_);
    }
    arriving_.clear();
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
