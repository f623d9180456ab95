// PostgreSQL tables in SQLite's words: names, column types, statement texts. Pure functions.
//
// SQLite has no schemas: "public"."orders" is orders, "sales"."orders" is "sales.orders".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fanout/connector/abi.h"
#include "sqlite/type_table.hpp"

namespace fanout::sqlite_target {

Storage storage_of(const fanout_column& column);

/// How rows of a table are found again.
struct RowFinder {
    enum class Kind : std::uint8_t {
        none,      // no replica identity: updates and deletes cannot be delivered
        key,       // by columns that are unique and not null
        full_row,  // by all columns; of equal rows, one
    };
    Kind kind = Kind::none;
    std::vector<std::size_t> columns;
};

RowFinder row_finder(const fanout_table& table);

std::string source_name(const fanout_table& table);  // schema.name, for messages
std::string target_name(const fanout_table& table);
std::string target_name(std::string_view schema, std::string_view name);

std::string create_table_text(const fanout_table& table);
/// As ALTER TABLE … ADD COLUMN takes it, for a hint.
std::string column_definition(const fanout_column& column);

std::string declared_type(const fanout_column& column);
/// A value that comes as PostgreSQL's text, as it would be stored.
std::string literal_of(const fanout_column& column, std::string_view text);

/// Parameters in the order of `columns`.
std::string insert_text(const fanout_table& table, const std::vector<std::size_t>& columns);
/// A row if the table has any.
std::string any_row_text(const fanout_table& table);
/// Parameters: `changed` in order, then the finder's columns.
std::string update_text(const fanout_table& table, const std::vector<std::size_t>& changed,
                        const RowFinder& finder);
/// Parameters: the finder's columns.
std::string delete_text(const fanout_table& table, const RowFinder& finder);
std::string truncate_text(const fanout_table& table);

}  // namespace fanout::sqlite_target
