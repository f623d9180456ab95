// Walks bodies with wire::BodyCursor; every refusal names the record's position.
#include "sidecar/lane/row_decoder.hpp"

#include <cstring>

#include "fanout/base/lsn_text.hpp"
#include "fanout/wire/ddl_format.hpp"

namespace fanout::lane {
namespace {

using wire::BodyCursor;
using wire::Refusal;

static_assert(FANOUT_NULL == static_cast<int>(wire::Tag::null) &&
              FANOUT_UNCHANGED == static_cast<int>(wire::Tag::unchanged) &&
              FANOUT_PRESENT == static_cast<int>(wire::Tag::present) &&
              FANOUT_ABSENT == static_cast<int>(wire::Tag::absent));
static_assert(FANOUT_BEFORE_NONE == static_cast<int>(wire::OldImage::none) &&
              FANOUT_BEFORE_KEY == static_cast<int>(wire::OldImage::key) &&
              FANOUT_BEFORE_FULL == static_cast<int>(wire::OldImage::full));

Status damaged(const wire::RecordView& record, const char* why) {
    return Status::corruption("the change at " + lsn_text(record.header.lsn) + ", index " +
                              std::to_string(record.header.index) +
                              ", cannot be read from the journal: " + why);
}

Refusal decode_image(BodyCursor& cursor, const fanout_table& table, Arena& arena,
                     const fanout_value*& out) {
    auto* values = arena.make<fanout_value>(table.column_count);
    for (std::size_t i = 0; i < table.column_count; ++i) {
        wire::ValueView view;
        if (const auto refusal = wire::take_value(cursor, table.columns[i].width, view);
            refusal != Refusal::none)
            return refusal;
        values[i] = {view.data.data(), static_cast<std::uint32_t>(view.data.size()),
                     static_cast<std::uint8_t>(view.tag)};
    }
    out = values;
    return Refusal::none;
}

std::uint8_t op_of(wire::Kind kind) {
    if (kind == wire::Kind::insert || kind == wire::Kind::rewritten) return FANOUT_INSERT;
    return kind == wire::Kind::update ? FANOUT_UPDATE : FANOUT_DELETE;
}

}  // namespace

RowTable row_table(const wire::RecordView& record) {
    static_assert(offsetof(wire::RowBody, relation) == 0 && offsetof(wire::RowBody, version) == 4);
    static_assert(offsetof(wire::UnjudgedBody, relation) == 0 &&
                  offsetof(wire::UnjudgedBody, version) == 4);
    wire::UnjudgedBody body{};
    if (record.body.size() >= sizeof body) std::memcpy(&body, record.body.data(), sizeof body);
    return {body.relation, body.version};
}

Status decode_row(const wire::RecordView& record, const CachedTable& table, Arena& arena,
                  fanout_change& out) {
    BodyCursor cursor(record.body);
    const auto body = cursor.take<wire::RowBody>();
    if (!cursor.ok()) return damaged(record, wire::refusal_text(Refusal::short_body));
    if (body.version != table.version || record.header.epoch != table.epoch)
        return damaged(record, "it belongs to another version of its table than the journal names");
    if (body.old_image > FANOUT_BEFORE_FULL) return damaged(record, "unknown kind of old image");
    out = {};
    out.op = op_of(record.kind());
    out.before_kind = body.old_image;
    out.index = record.header.index;
    out.table = &table.table;
    if (body.old_image != FANOUT_BEFORE_NONE) {
        const auto refusal = decode_image(cursor, table.table, arena, out.before);
        if (refusal != Refusal::none) return damaged(record, wire::refusal_text(refusal));
    }
    if (out.op != FANOUT_DELETE) {
        const auto refusal = decode_image(cursor, table.table, arena, out.after);
        if (refusal != Refusal::none) return damaged(record, wire::refusal_text(refusal));
    }
    if (!cursor.at_end()) return damaged(record, wire::refusal_text(Refusal::trailing_bytes));
    return Status::ok();
}

Status decode_truncate(const wire::RecordView& record, const TableCache& tables, Arena& arena,
                       fanout_change& out, const CachedTable** denied) {
    BodyCursor cursor(record.body);
    const auto body = cursor.take<wire::TruncateBody>();
    if (!cursor.ok() || body.relation_count > cursor.rest() / sizeof(std::uint32_t))
        return damaged(record, wire::refusal_text(Refusal::bad_count));
    auto** wanted = arena.make<const fanout_table*>(body.relation_count);
    out = {};
    out.op = FANOUT_TRUNCATE;
    out.index = record.header.index;
    if ((record.header.flags & wire::kFlagCascade) != 0) out.flags |= FANOUT_TRUNCATE_CASCADE;
    if ((record.header.flags & wire::kFlagRestartIdentity) != 0)
        out.flags |= FANOUT_TRUNCATE_RESTART_IDENTITY;
    for (std::uint32_t i = 0; i < body.relation_count; ++i) {
        const auto* table = tables.find(cursor.take<std::uint32_t>());
        if (table == nullptr) continue;
        if (table->denied) *denied = table;
        if (table->wanted || table->denied) wanted[out.table_count++] = &table->table;
    }
    out.tables = wanted;
    if (!cursor.at_end()) return damaged(record, wire::refusal_text(Refusal::trailing_bytes));
    return Status::ok();
}

Status decode_filtered(const wire::RecordView& record, const TableCache& tables,
                       std::uint64_t& rows) {
    BodyCursor cursor(record.body);
    const auto body = cursor.take<wire::FilteredBody>();
    if (!cursor.ok() || body.count > cursor.rest() / sizeof(wire::FilteredCount))
        return damaged(record, wire::refusal_text(Refusal::bad_count));
    rows = 0;
    for (std::uint32_t i = 0; i < body.count; ++i) {
        const auto count = cursor.take<wire::FilteredCount>();
        const auto* table = tables.find(count.relation, count.version);
        if (table != nullptr && table->wanted) rows += count.rows;
    }
    if (!cursor.at_end()) return damaged(record, wire::refusal_text(Refusal::trailing_bytes));
    return Status::ok();
}

Status decode_unjudged(const wire::RecordView& record, UnjudgedRow& out) {
    BodyCursor cursor(record.body);
    cursor.take<wire::UnjudgedBody>();
    out.error = cursor.take_text();
    out.key = cursor.take_text();
    if (!cursor.at_end()) return damaged(record, wire::refusal_text(Refusal::short_body));
    return Status::ok();
}

Status decode_ddl(const wire::RecordView& record, const TableCache& tables, DdlRecord& out) {
    BodyCursor cursor(record.body);
    const auto body = cursor.take<wire::DdlBody>();
    const auto text = [&cursor] {
        const auto taken = cursor.take_text();
        return fanout_text{taken.data(), taken.size()};
    };
    const auto long_text = [&cursor](std::uint32_t size) {
        const auto taken = cursor.take_bytes(size);
        return fanout_text{reinterpret_cast<const char*>(taken.data()), taken.size()};
    };
    out = {};
    out.ddl.kind = body.kind;
    out.ddl.oid = body.relation;
    for (auto* name : {&out.ddl.schema, &out.ddl.name, &out.ddl.new_schema, &out.ddl.new_name,
                       &out.ddl.column, &out.ddl.new_column})
        *name = text();
    for (std::size_t i = 0; i < body.wanted_count && cursor.ok(); ++i)
        if (cursor.take<std::uint32_t>() == tables.subscription()) out.wanted = cursor.ok();
    out.ddl.before = long_text(body.before_size);
    out.ddl.after = long_text(body.after_size);
    if (body.missing_size != wire::kNoMissing) out.ddl.missing = long_text(body.missing_size);
    out.ddl.statement = long_text(body.statement_size);
    if (!cursor.at_end()) return damaged(record, wire::refusal_text(Refusal::short_body));
    out.first_rows = (record.header.flags & wire::kFlagFirstRows) != 0;
    const auto* table = tables.find(body.relation);
    if (table != nullptr && table->wanted && out.ddl.new_name.size != 0)
        out.ddl.table = &table->table;
    return Status::ok();
}

Status decode_sequence(const wire::RecordView& record, std::uint32_t& subscription,
                       fanout_sequence& out) {
    BodyCursor cursor(record.body);
    const auto body = cursor.take<wire::SequenceBody>();
    const auto schema = cursor.take_text(), name = cursor.take_text();
    if (!cursor.at_end()) return damaged(record, wire::refusal_text(Refusal::short_body));
    subscription = body.subscription;
    out = {{schema.data(), schema.size()},
           {name.data(), name.size()},
           body.last_value,
           body.increment,
           static_cast<std::uint8_t>(body.not_called == 0 ? 1 : 0)};
    return Status::ok();
}

Status open_kept_record(std::span<const std::uint8_t> bytes, wire::RecordView& out) {
    const auto refusal = wire::read_record(bytes, out, wire::kWholeRecordBytesMax);
    if (refusal == Refusal::none) return Status::ok();
    return Status::corruption(std::string("the change that was kept is damaged: ") +
                              wire::refusal_text(refusal));
}

wire::RecordView relation_record(std::span<const std::uint8_t> body, std::uint32_t epoch,
                                 std::uint8_t flags) {
    wire::RecordView record{};
    record.header.kind = static_cast<std::uint8_t>(wire::Kind::relation);
    record.header.flags = flags;
    record.header.epoch = epoch;
    record.body = body;
    return record;
}

Status decode_message(const wire::RecordView& record, fanout_change& out) {
    BodyCursor cursor(record.body);
    const auto body = cursor.take<wire::MessageBody>();
    const auto prefix = cursor.take_bytes(body.prefix_size);
    const auto content = cursor.take_bytes(body.content_size);
    if (!cursor.at_end()) return damaged(record, wire::refusal_text(Refusal::short_body));
    out = {};
    out.op = FANOUT_MESSAGE;
    out.index = record.header.index;
    out.prefix = {reinterpret_cast<const char*>(prefix.data()), prefix.size()};
    out.content = {reinterpret_cast<const char*>(content.data()), content.size()};
    return Status::ok();
}

}  // namespace fanout::lane
