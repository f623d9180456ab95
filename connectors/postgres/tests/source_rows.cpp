#include "postgres/tests/source_rows.hpp"

#include <cstring>
#include <set>
#include <stdexcept>

#include "_kit/sql_quote.hpp"
#include "_kit/stored_types.hpp"

namespace fanout::postgres_test {
namespace {

// One row per column: what SourceTable needs, base types below domains.
std::string shape_sql(const std::string& quoted) {
    const std::string table = kit::quote_literal(quoted) + "::regclass";
    return "WITH RECURSIVE base AS (SELECT a.attnum, a.atttypid AS type FROM pg_attribute a "
           "WHERE a.attrelid = " +
           table +
           " AND a.attnum > 0 AND NOT a.attisdropped UNION ALL SELECT b.attnum, t.typbasetype "
           "FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd') "
           "SELECT a.attname, format_type(a.atttypid, a.atttypmod), b.type, a.atttypmod, a.attnum, "
           "a.attnotnull, coalesce(a.attnum = ANY(r.indkey), false) "
           "  OR c.relreplident = 'f', coalesce(a.attnum = ANY(p.indkey), false), "
           "a.attgenerated <> '', a.attidentity <> '', c.relreplident, c.oid "
           "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT "
           "a.attisdropped JOIN base b ON b.attnum = a.attnum "
           "JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd' "
           "LEFT JOIN pg_index p ON p.indrelid = c.oid AND p.indisprimary "
           "LEFT JOIN pg_index r ON r.indrelid = c.oid AND CASE c.relreplident WHEN 'd' THEN "
           "r.indisprimary WHEN 'i' THEN r.indisreplident ELSE false END WHERE c.oid = " +
           table + " ORDER BY a.attnum";
}

std::vector<std::string> split(const std::string& row) {
    std::vector<std::string> fields;
    std::size_t start = 0;
    for (std::size_t bar; (bar = row.find('|', start)) != std::string::npos; start = bar + 1)
        fields.push_back(row.substr(start, bar - start));
    fields.push_back(row.substr(start));
    return fields;
}

std::string from_hex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 2; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return out;
}

void classify(fanout_column& column) {
    static const std::set<std::uint32_t> kPayload = {
        kit::type_oid::kText, kit::type_oid::kVarchar, kit::type_oid::kBpchar, kit::type_oid::kName,
        kit::type_oid::kXml,  kit::type_oid::kBytea,   kit::type_oid::kJson};
    if (const auto* stored = kit::find_stored_type(column.type_oid); stored != nullptr) {
        column.value_class = FANOUT_FIXED;
        column.width = stored->width;
    } else if (kPayload.contains(column.type_oid)) {
        column.value_class = FANOUT_BYTES;
    } else if (column.type_oid == kit::type_oid::kNumeric) {
        column.value_class = FANOUT_NUMERIC;
    } else {
        column.value_class = FANOUT_TEXT_FORM;
    }
}

}  // namespace

Cell null_cell() {
    return {"", FANOUT_NULL};
}

Cell unchanged_cell() {
    return {"", FANOUT_UNCHANGED};
}

fanout_text SourceTable::keep(std::string text) {
    const std::string& kept = texts_.emplace_back(std::move(text));
    return {kept.data(), kept.size()};
}

SourceTable::SourceTable(Client& source, const std::string& schema, const std::string& name,
                         std::uint64_t version) {
    source.run("SET search_path = ''");
    for (const std::string& row : source.rows(shape_sql(kit::quote_qualified(schema, name)))) {
        const auto field = split(row);
        fanout_column column{};
        column.name = keep(field[0]);
        column.type_name = keep(field[1]);
        column.type_oid = static_cast<std::uint32_t>(std::stoul(field[2]));
        column.typmod = std::stoi(field[3]);
        column.attnum = static_cast<std::int16_t>(std::stoi(field[4]));
        const auto flag = [&](std::size_t i, unsigned value) {
            if (field[i] == "t") column.flags = static_cast<std::uint8_t>(column.flags | value);
        };
        flag(5, FANOUT_COLUMN_NOT_NULL);
        flag(6, FANOUT_COLUMN_KEY);
        flag(7, FANOUT_COLUMN_PRIMARY_KEY);
        flag(8, FANOUT_COLUMN_GENERATED);
        flag(9, FANOUT_COLUMN_IDENTITY);
        classify(column);
        table_.identity = field[10][0];
        table_.oid = static_cast<std::uint32_t>(std::stoul(field[11]));
        columns_.push_back(column);
    }
    source.run("SET search_path = public");
    table_.version = version;
    table_.schema = keep(schema);
    table_.name = keep(name);
    table_.columns = columns_.data();
    table_.column_count = columns_.size();
}

std::vector<Row> SourceTable::stored_rows(Client& source) const {
    const std::string name =
        kit::quote_qualified(connector::view(table_.schema), connector::view(table_.name));
    source.run("CREATE EXTENSION IF NOT EXISTS pageinspect SCHEMA public");
    std::string texts;
    for (const auto& column : columns_) {
        if (!texts.empty()) texts += ", ";
        texts += "t." + kit::quote_identifier(connector::view(column.name)) + "::text";
    }
    // Stored bytes from the page, texts from the output functions for what travels as text.
    const std::string pages =
        "FROM " + name + " t, LATERAL (SELECT public.tuple_data_split(" + kit::quote_literal(name) +
        "::regclass, h.t_data, h.t_infomask, h.t_infomask2, h.t_bits, true) AS a FROM "
        "public.heap_page_items(public.get_raw_page('" +
        name +
        "', ((t.ctid::text::point)[0])::int)) h WHERE h.lp = ((t.ctid::text::point)[1])::int) s ";
    std::string raw;
    for (const auto& column : columns_)
        raw += ", s.a[" + std::to_string(column.attnum) + "]::text";
    const auto stored = source.rows("SELECT 0" + raw + " " + pages + "ORDER BY t.ctid");
    std::vector<Row> out;
    for (const std::string& line : stored) {
        const auto field = split(line);
        Row row;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (field[i + 1] == "~") {
                row.push_back(null_cell());
                continue;
            }
            const std::string bytes = from_hex(field[i + 1]);
            if (columns_[i].type_oid == kit::type_oid::kName)
                row.push_back({std::string(bytes.c_str())});
            else
                row.push_back({bytes});
        }
        out.push_back(std::move(row));
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (columns_[i].value_class != FANOUT_TEXT_FORM) continue;
        const auto shown =
            source.rows("SELECT t." + kit::quote_identifier(connector::view(columns_[i].name)) +
                        "::text FROM " + name + " t ORDER BY ctid");
        for (std::size_t r = 0; r < out.size(); ++r)
            if (out[r][i].state == FANOUT_PRESENT) out[r][i].bytes = shown[r];
    }
    return out;
}

const fanout_value* Feed::image(const Row& row) {
    const Row& kept = rows_.emplace_back(row);
    auto& values = images_.emplace_back();
    for (const Cell& cell : kept)
        values.push_back({reinterpret_cast<const std::uint8_t*>(cell.bytes.data()),
                          static_cast<std::uint32_t>(cell.bytes.size()),
                          static_cast<std::uint8_t>(cell.state)});
    return values.data();
}

Feed& Feed::begin() {
    transactions_.emplace_back();
    lsn_ += 0x100;
    return *this;
}

fanout_change& Feed::change(fanout_op op) {
    auto& changes = transactions_.back().changes;
    fanout_change& made = changes.emplace_back();
    made.op = static_cast<std::uint8_t>(op);
    made.index = changes.size() - 1;
    return made;
}

Feed& Feed::insert(const SourceTable& table, const Row& row) {
    fanout_change& made = change(FANOUT_INSERT);
    made.table = &table.table();
    made.after = image(row);
    return *this;
}

namespace {

// What the source logs of an old row under the table's replica identity.
Row logged(const SourceTable& table, const Row& row) {
    Row out = row;
    if (table.table().identity == 'f') return out;
    for (std::size_t i = 0; i < out.size(); ++i)
        if ((table.column(i).flags & FANOUT_COLUMN_KEY) == 0) out[i] = {"", FANOUT_ABSENT};
    return out;
}

std::uint8_t before_kind(const SourceTable& table) {
    return table.table().identity == 'f' ? FANOUT_BEFORE_FULL : FANOUT_BEFORE_KEY;
}

}  // namespace

Feed& Feed::update(const SourceTable& table, const Row& row, const std::optional<Row>& before) {
    fanout_change& made = change(FANOUT_UPDATE);
    made.table = &table.table();
    made.after = image(row);
    if (before) {
        made.before = image(logged(table, *before));
        made.before_kind = before_kind(table);
    }
    return *this;
}

Feed& Feed::remove(const SourceTable& table, const Row& before) {
    fanout_change& made = change(FANOUT_DELETE);
    made.table = &table.table();
    made.before = image(logged(table, before));
    made.before_kind = before_kind(table);
    return *this;
}

Feed& Feed::truncate(std::initializer_list<const SourceTable*> tables, unsigned flags) {
    fanout_change& made = change(FANOUT_TRUNCATE);
    auto& list = table_lists_.emplace_back();
    for (const SourceTable* table : tables)
        list.push_back(&table->table());
    made.tables = list.data();
    made.table_count = list.size();
    made.flags = static_cast<std::uint8_t>(flags);
    return *this;
}

fanout_cursor Feed::commit() {
    Transaction& open = transactions_.back();
    open.flat.assign(open.changes.begin(), open.changes.end());
    open.header.commit_lsn = lsn_;
    open.header.end_lsn = lsn_ + 0x30;
    open.header.commit_time = static_cast<std::int64_t>(lsn_) * 1'000'000 + 123'456;
    open.header.begins = open.header.ends = 1;
    open.header.changes = open.flat.data();
    open.header.change_count = open.flat.size();
    return {open.header.commit_lsn, open.header.end_lsn, open.header.commit_time};
}

const fanout_batch& Feed::batch() {
    headers_.clear();
    batch_ = {};
    for (const Transaction& transaction : transactions_) {
        headers_.push_back(transaction.header);
        batch_.change_count += transaction.header.change_count;
    }
    batch_.transactions = headers_.data();
    batch_.transaction_count = headers_.size();
    return batch_;
}

}  // namespace fanout::postgres_test
