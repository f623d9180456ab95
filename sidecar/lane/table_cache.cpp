// Relation record → fanout_table. The record's bytes were checked by the journal's reader; their
// meaning is checked here.
#include "sidecar/lane/table_cache.hpp"

#include <algorithm>
#include <cstring>

namespace fanout::lane {
namespace {

using wire::BodyCursor;

fanout_text text_of(std::string_view text) {
    return {text.data(), text.size()};
}

bool valid_class(const wire::ColumnBody& column) {
    const bool fixed = column.value_class == FANOUT_FIXED;
    return column.value_class >= FANOUT_FIXED && column.value_class <= FANOUT_TEXT_FORM &&
           fixed == (column.width != 0);
}

Status damaged(const char* why) {
    return Status::corruption(std::string("a relation record in the journal is damaged: ") + why);
}

/// Takes `count` subscription ids; the place of `subscription` among them, `count` if it is not.
std::size_t take_ids(BodyCursor& cursor, std::size_t count, std::uint32_t subscription) {
    std::size_t place = count;
    for (std::size_t i = 0; i < count && cursor.ok(); ++i)
        if (cursor.take<std::uint32_t>() == subscription && cursor.ok()) place = i;
    return place;
}

}  // namespace

static_assert(FANOUT_FIXED == static_cast<int>(wire::ValueClass::fixed) &&
              FANOUT_BYTES == static_cast<int>(wire::ValueClass::bytes) &&
              FANOUT_NUMERIC == static_cast<int>(wire::ValueClass::numeric) &&
              FANOUT_TEXT_FORM == static_cast<int>(wire::ValueClass::text));
static_assert(FANOUT_COLUMN_KEY == wire::kColumnKey &&
              FANOUT_COLUMN_NOT_NULL == wire::kColumnNotNull &&
              FANOUT_COLUMN_GENERATED == wire::kColumnGenerated &&
              FANOUT_COLUMN_IDENTITY == wire::kColumnIdentity &&
              FANOUT_COLUMN_PRIMARY_KEY == wire::kColumnPrimaryKey);

std::string CachedTable::full_name() const {
    return std::string(table.schema.data, table.schema.size) + "." +
           std::string(table.name.data, table.name.size);
}

Status TableCache::parse(CachedTable& into, bool has_reasons) const {
    BodyCursor cursor{wire::Bytes(into.record)};
    const auto body = cursor.take<wire::RelationBody>();
    into.version = body.version;
    into.table.oid = body.relation;
    into.table.identity = static_cast<char>(body.identity);
    into.table.version = (static_cast<std::uint64_t>(into.epoch) << 32) | body.version;
    into.table.schema = text_of(cursor.take_text());
    into.table.name = text_of(cursor.take_text());
    into.columns.reserve(body.column_count);
    for (std::size_t i = 0; i < body.column_count; ++i) {
        const auto column = cursor.take<wire::ColumnBody>();
        fanout_column out{};
        out.name = text_of(cursor.take_text());
        out.type_name = text_of(cursor.take_text());
        if (!cursor.ok()) return damaged("a column reaches beyond its end");
        if (!valid_class(column)) return damaged("a column has an impossible class or width");
        out.type_oid = column.type;
        out.typmod = column.typmod;
        out.attnum = column.attnum;
        out.width = column.width;
        out.value_class = column.value_class;
        out.flags = column.flags;
        into.columns.push_back(out);
    }
    into.wanted = take_ids(cursor, body.wanted_count, subscription_) != body.wanted_count;
    const std::size_t denied = take_ids(cursor, body.denied_count, subscription_);
    into.denied = denied != body.denied_count;
    into.wanted_by_any = body.wanted_count != 0;
    for (std::size_t i = 0; has_reasons && i < body.denied_count; ++i) {
        const auto reason = cursor.take_text();
        if (i == denied) into.refusal = reason;
    }
    if (!cursor.at_end()) return damaged("its length does not fit its content");
    into.table.columns = into.columns.data();
    into.table.column_count = into.columns.size();
    return Status::ok();
}

const CachedTable* TableCache::known(const Versions& versions,
                                     const wire::RecordView& record) const {
    for (const auto& table : versions)
        if (table->epoch == record.header.epoch && std::ranges::equal(table->record, record.body))
            return table.get();
    return nullptr;
}

Result<const CachedTable*> TableCache::take(const wire::RecordView& record) {
    if (record.body.size() < sizeof(wire::RelationBody)) return damaged("it is too short");
    wire::RelationBody body;
    std::memcpy(&body, record.body.data(), sizeof body);
    auto& versions = in_force_[body.relation];
    if (const auto* table = known(versions, record)) return table;
    auto table = std::make_unique<CachedTable>();
    table->record.assign(record.body.begin(), record.body.end());
    table->epoch = record.header.epoch;
    table->record_flags = record.header.flags;
    const bool has_reasons = (record.header.flags & wire::kFlagReasons) != 0;
    if (auto parsed = parse(*table, has_reasons); !parsed.is_ok()) return parsed;
    if ((record.header.flags & wire::kFlagAlso) == 0) {
        for (auto& replaced : versions)
            replaced_.push_back(std::move(replaced));
        versions.clear();
    }
    table->count = &count_of(table->table);
    versions.push_back(std::move(table));
    return versions.back().get();
}

TableCount& TableCache::count_of(const fanout_table& table) {
    auto& count = counts_[table.oid];
    count.oid = table.oid;
    count.schema.assign(table.schema.data, table.schema.size);
    count.name.assign(table.name.data, table.name.size);
    count.identity = table.identity;
    return count;
}

const CachedTable* TableCache::find(Oid32 oid) const {
    const auto found = in_force_.find(oid);
    if (found == in_force_.end() || found->second.empty()) return nullptr;
    for (const auto& table : found->second)
        if (table->wanted || table->denied) return table.get();
    return found->second.front().get();
}

const CachedTable* TableCache::find(Oid32 oid, std::uint32_t version) const {
    const auto found = in_force_.find(oid);
    if (found == in_force_.end()) return nullptr;
    for (const auto& table : found->second)
        if (table->version == version) return table.get();
    return nullptr;
}

void TableCache::clear() {
    in_force_.clear();
    replaced_.clear();
}

}  // namespace fanout::lane
