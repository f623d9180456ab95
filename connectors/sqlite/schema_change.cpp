// ALTER TABLE where SQLite has it, a new table where it has not.
#include "sqlite/schema_change.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "_kit/sql_quote.hpp"
#include "fanout/connector/connector.hpp"
#include "sqlite/ddl_table.hpp"
#include "sqlite/sql_text.hpp"

namespace fanout::sqlite_target {
namespace {

using connector::ConnectorError;
using connector::view;
using kit::quote_identifier;

constexpr const char* kNewTable = "_fanout_new_table";
constexpr std::size_t kShownStatementMax = 400;

struct TargetColumn {
    std::string name, declared;
    bool in_key = false, computed = false;
};

std::string folded(std::string_view name) {
    std::string out(name);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::vector<TargetColumn> read_columns(Database& database, const std::string& table) {
    constexpr int kVirtualColumn = 2, kStoredColumn = 3;
    Statement read(database, "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1)");
    read.bind_text(1, table);
    std::vector<TargetColumn> columns;
    while (read.next())
        columns.push_back({read.text(0), read.text(1), read.integer(2) != 0,
                           read.integer(3) == kVirtualColumn || read.integer(3) == kStoredColumn});
    return columns;
}

const TargetColumn* find(const std::vector<TargetColumn>& columns, std::string_view name) {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& column) {
        return folded(column.name) == folded(name);
    });
    return found == columns.end() ? nullptr : &*found;
}

const fanout_column* find(const fanout_table* table, std::string_view name) {
    for (std::size_t i = 0; table != nullptr && i < table->column_count; ++i)
        if (view(table->columns[i].name) == name) return &table->columns[i];
    return nullptr;
}

std::string name_of(const fanout_ddl& ddl) {
    return target_name(view(ddl.schema), view(ddl.name));
}

/// Of an index or trigger, as it was made.
std::vector<std::string> read_attached(Database& database, const std::string& table) {
    Statement read(database,
                   "SELECT sql FROM sqlite_master WHERE lower(tbl_name) = lower(?1) AND type IN "
                   "('index', 'trigger') AND sql IS NOT NULL");
    read.bind_text(1, table);
    std::vector<std::string> texts;
    while (read.next())
        texts.push_back(read.text(0));
    return texts;
}

bool is_key_column(const fanout_ddl& ddl, const TargetColumn& column) {
    if (ddl.kind != FANOUT_DDL_ALTER_KEY) return column.in_key;
    const fanout_column* source = find(ddl.table, column.name);
    return source != nullptr && (source->flags & FANOUT_COLUMN_PRIMARY_KEY) != 0;
}

}  // namespace

void SchemaChanger::apply(const fanout_ddl& ddl, bool create_tables) {
    try {
        dispatch(ddl, create_tables);
    } catch (const ConnectorError& e) {
        if (e.outcome() == FANOUT_RETRY) throw;
        const std::string statement(view(ddl.statement).substr(0, kShownStatementMax));
        throw ConnectorError(FANOUT_REJECT,
                             "cannot change table \"" + name_of(ddl) + "\" of the target: " +
                                 e.what() + "; at the source it was: " + statement,
                             e.hint().empty() ? "Change the target by hand." : e.hint());
    }
}

void SchemaChanger::dispatch(const fanout_ddl& ddl, bool create_tables) {
    if (!kit::has_effect(kDdlEffects, ddl.kind)) return;
    const std::string name = name_of(ddl);
    if (ddl.kind == FANOUT_DDL_CREATE_TABLE) {
        if (ddl.table != nullptr && create_tables && ddl.table->column_count != 0 &&
            read_columns(database_, target_name(*ddl.table)).empty())
            database_.execute(create_table_text(*ddl.table));
        return;
    }
    if (read_columns(database_, name).empty()) return;
    switch (ddl.kind) {
        case FANOUT_DDL_DROP_TABLE:
            return database_.execute("DROP TABLE " + quote_identifier(name));
        case FANOUT_DDL_RENAME_TABLE:
            return rename_table(ddl);
        case FANOUT_DDL_ADD_COLUMN:
            return add_column(ddl);
        case FANOUT_DDL_DROP_COLUMN:
            return drop_column(ddl);
        case FANOUT_DDL_RENAME_COLUMN:
            return rename_column(ddl);
        case FANOUT_DDL_ALTER_TYPE:
            return alter_type(ddl);
        case FANOUT_DDL_ALTER_KEY:
            return make_anew(ddl, {});
        case FANOUT_DDL_REWRITE:
            return database_.execute("DELETE FROM " + quote_identifier(name));
        default:
            return;
    }
}

void SchemaChanger::rename_table(const fanout_ddl& ddl) {
    const std::string to = target_name(view(ddl.new_schema), view(ddl.new_name));
    database_.execute("ALTER TABLE " + quote_identifier(name_of(ddl)) + " RENAME TO " +
                      quote_identifier(to));
}

void SchemaChanger::add_column(const fanout_ddl& ddl) {
    const fanout_column* column = find(ddl.table, view(ddl.new_column));
    if (column == nullptr ||
        find(read_columns(database_, name_of(ddl)), view(ddl.new_column)) != nullptr)
        return;
    std::string sql = "ALTER TABLE " + quote_identifier(name_of(ddl)) + " ADD COLUMN " +
                      column_definition(*column);
    if (ddl.missing.data != nullptr) sql += " DEFAULT " + literal_of(*column, view(ddl.missing));
    database_.execute(sql);
}

void SchemaChanger::drop_column(const fanout_ddl& ddl) {
    const auto columns = read_columns(database_, name_of(ddl));
    const TargetColumn* column = find(columns, view(ddl.column));
    // A table without columns is nothing SQLite could have.
    if (column == nullptr || columns.size() == 1) return;
    make_anew(ddl, column->name);
}

void SchemaChanger::rename_column(const fanout_ddl& ddl) {
    const auto columns = read_columns(database_, name_of(ddl));
    if (find(columns, view(ddl.column)) == nullptr ||
        (find(columns, view(ddl.new_column)) != nullptr &&
         folded(view(ddl.column)) != folded(view(ddl.new_column))))
        return;
    database_.execute("ALTER TABLE " + quote_identifier(name_of(ddl)) + " RENAME COLUMN " +
                      quote_identifier(view(ddl.column)) + " TO " +
                      quote_identifier(view(ddl.new_column)));
}

void SchemaChanger::alter_type(const fanout_ddl& ddl) {
    const fanout_column* source = find(ddl.table, view(ddl.new_column));
    const auto columns = read_columns(database_, name_of(ddl));
    const TargetColumn* column = find(columns, view(ddl.new_column));
    if (source == nullptr || column == nullptr || column->declared == declared_type(*source))
        return;
    make_anew(ddl, {});
}

/// With the rows it has. Without a column of the key there is no key: what is left of it may not be
/// unique.
void SchemaChanger::make_anew(const fanout_ddl& ddl, std::string_view without_column) {
    const std::string name = name_of(ddl);
    std::string definitions, names, key;
    const auto append = [](std::string& list, const std::string& item) {
        list += (list.empty() ? "" : ", ") + item;
    };
    const auto columns = read_columns(database_, name);
    const TargetColumn* dropped = find(columns, without_column);
    for (const TargetColumn& column : columns) {
        if (column.computed)
            throw ConnectorError(FANOUT_REJECT,
                                 "column \"" + column.name + "\" is computed by the target itself");
        if (&column == dropped) continue;
        const bool changed = ddl.kind == FANOUT_DDL_ALTER_TYPE &&
                             folded(column.name) == folded(view(ddl.new_column));
        const fanout_column* source = changed ? find(ddl.table, view(ddl.new_column)) : nullptr;
        const std::string quoted = quote_identifier(column.name);
        append(definitions,
               quoted + " " + (source != nullptr ? declared_type(*source) : column.declared));
        append(names, quoted);
        if (is_key_column(ddl, column)) append(key, quoted);
    }
    if (dropped != nullptr && dropped->in_key) key.clear();
    if (!key.empty()) append(definitions, "PRIMARY KEY (" + key + ")");
    const std::vector<std::string> attached = read_attached(database_, name);
    database_.execute(std::string("CREATE TABLE ") + kNewTable + " (" + definitions + ")");
    database_.execute(std::string("INSERT INTO ") + kNewTable + " SELECT " + names + " FROM " +
                      quote_identifier(name));
    database_.execute("DROP TABLE " + quote_identifier(name));
    database_.execute(std::string("ALTER TABLE ") + kNewTable + " RENAME TO " +
                      quote_identifier(name));
    for (const std::string& text : attached)
        database_.execute(text);
}

}  // namespace fanout::sqlite_target
