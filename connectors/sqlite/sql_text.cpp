#include "sqlite/sql_text.hpp"

#include <strings.h>

#include <algorithm>

#include "_kit/sql_quote.hpp"
#include "fanout/connector/connector.hpp"

namespace fanout::sqlite_target {
namespace {

using connector::ConnectorError;
using connector::view;
using kit::quote_identifier;

/// A value of another class than its type's usual one comes as text.
Oid32 type_as_stored(const fanout_column& column) {
    const bool usual =
        column.value_class == FANOUT_FIXED || column.type_oid == kit::type_oid::kBytea;
    return usual ? column.type_oid : 0;
}

std::string quoted_target(const fanout_table& table) {
    return quote_identifier(target_name(table));
}

std::string column_name(const fanout_table& table, std::size_t column) {
    return quote_identifier(view(table.columns[column].name));
}

template <typename Item>
std::string joined(const std::vector<std::size_t>& columns, const char* separator, Item&& item) {
    std::string out;
    for (const std::size_t column : columns) {
        if (!out.empty()) out += separator;
        out += item(column);
    }
    return out;
}

/// SQLite's name for a row's number, unless columns of the table have taken all three.
const char* row_number_name(const fanout_table& table) {
    for (const char* name : {"rowid", "_rowid_", "oid"}) {
        const std::string_view wanted(name);
        const bool taken = std::any_of(
            table.columns, table.columns + table.column_count, [&](const fanout_column& column) {
                return column.name.size == wanted.size() &&
                       strncasecmp(column.name.data, name, wanted.size()) == 0;
            });
        if (!taken) return name;
    }
    throw ConnectorError(
        FANOUT_FATAL,
        "table " + source_name(table) + " has no key, and columns called rowid, _rowid_ and oid",
        "give the table a primary key");
}

std::string condition(const fanout_table& table, const RowFinder& finder) {
    const char* equals = finder.kind == RowFinder::Kind::key ? " = ?" : " IS ?";
    const std::string found = joined(finder.columns, " AND ", [&](std::size_t column) {
        return column_name(table, column) + equals;
    });
    if (finder.kind == RowFinder::Kind::key) return found;
    const std::string row = row_number_name(table);
    return row + " = (SELECT " + row + " FROM " + quoted_target(table) + " WHERE " + found +
           " LIMIT 1)";
}

}  // namespace

Storage storage_of(const fanout_column& column) {
    return mapping_of(type_as_stored(column)).form;
}

RowFinder row_finder(const fanout_table& table) {
    const auto with_flag = [&](unsigned flag) {
        std::vector<std::size_t> columns;
        for (std::size_t i = 0; i < table.column_count; ++i)
            if ((table.columns[i].flags & flag) != 0) columns.push_back(i);
        return columns;
    };
    if (table.identity == 'n') return {};
    RowFinder finder{.kind = RowFinder::Kind::key, .columns = with_flag(FANOUT_COLUMN_KEY)};
    if (table.identity == 'f') {
        finder.columns = with_flag(FANOUT_COLUMN_PRIMARY_KEY);
        if (finder.columns.empty()) {
            finder.kind = RowFinder::Kind::full_row;
            for (std::size_t i = 0; i < table.column_count; ++i)
                finder.columns.push_back(i);
        }
    }
    if (finder.columns.empty()) finder.kind = RowFinder::Kind::none;
    return finder;
}

std::string source_name(const fanout_table& table) {
    return std::string(view(table.schema)) + "." + std::string(view(table.name));
}

std::string target_name(const fanout_table& table) {
    return target_name(view(table.schema), view(table.name));
}

std::string target_name(std::string_view schema, std::string_view name) {
    std::string out(name);
    return schema == "public" ? out : std::string(schema) + "." + out;
}

std::string declared_type(const fanout_column& column) {
    return std::string(mapping_of(type_as_stored(column)).target);
}

std::string column_definition(const fanout_column& column) {
    return quote_identifier(view(column.name)) + " " + declared_type(column);
}

std::string literal_of(const fanout_column& column, std::string_view text) {
    const auto quoted = [&] {
        std::string out = "'";
        for (const char c : text)
            out.append(c == '\'' ? 2 : 1, c);
        return out + "'";
    };
    const bool is_number =
        !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
    switch (storage_of(column)) {
        case Storage::boolean:
            return text == "t" ? "1" : "0";
        case Storage::blob:
            // \x and hexadecimal digits: the output of bytea as the extension pins it.
            return "x'" + std::string(text.substr(std::min<std::size_t>(2, text.size()))) + "'";
        case Storage::text:
            return quoted();
        case Storage::int2:
        case Storage::int4:
        case Storage::int8:
        case Storage::oid:
        case Storage::float4:
        case Storage::float8:
            break;
    }
    return is_number ? std::string(text) : quoted();
}

std::string create_table_text(const fanout_table& table) {
    std::vector<std::size_t> all, key;
    for (std::size_t i = 0; i < table.column_count; ++i) {
        all.push_back(i);
        if ((table.columns[i].flags & FANOUT_COLUMN_PRIMARY_KEY) != 0) key.push_back(i);
    }
    if (key.empty() && row_finder(table).kind == RowFinder::Kind::key)
        key = row_finder(table).columns;
    const auto name = [&](std::size_t i) { return column_name(table, i); };
    std::string text =
        "CREATE TABLE " + quoted_target(table) + " (" +
        joined(all, ", ", [&](std::size_t i) { return column_definition(table.columns[i]); });
    if (!key.empty()) text += ", PRIMARY KEY (" + joined(key, ", ", name) + ")";
    return text + ")";
}

std::string insert_text(const fanout_table& table, const std::vector<std::size_t>& columns) {
    if (columns.empty()) return "INSERT INTO " + quoted_target(table) + " DEFAULT VALUES";
    return "INSERT INTO " + quoted_target(table) + " (" +
           joined(columns, ", ", [&](std::size_t i) { return column_name(table, i); }) +
           ") VALUES (" + joined(columns, ", ", [](std::size_t) { return "?"; }) + ")";
}

std::string any_row_text(const fanout_table& table) {
    return "SELECT 1 FROM " + quoted_target(table) + " LIMIT 1";
}

std::string update_text(const fanout_table& table, const std::vector<std::size_t>& changed,
                        const RowFinder& finder) {
    return "UPDATE " + quoted_target(table) + " SET " +
           joined(changed, ", ", [&](std::size_t i) { return column_name(table, i) + " = ?"; }) +
           " WHERE " + condition(table, finder);
}

std::string delete_text(const fanout_table& table, const RowFinder& finder) {
    return "DELETE FROM " + quoted_target(table) + " WHERE " + condition(table, finder);
}

std::string truncate_text(const fanout_table& table) {
    return "DELETE FROM " + quoted_target(table);
}

}  // namespace fanout::sqlite_target
