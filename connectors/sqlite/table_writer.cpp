#include "sqlite/table_writer.hpp"

#include <algorithm>
#include <cstring>

#include "_kit/sql_quote.hpp"
#include "fanout/connector/connector.hpp"

namespace fanout::sqlite_target {
namespace {

using connector::ConnectorError;
using connector::view;

/// SQLite compares names without regard to ASCII case.
std::string folded(std::string_view name) {
    std::string out(name);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

bool same_value(const fanout_value& a, const fanout_value& b) {
    return a.state == b.state && a.size == b.size &&
           (a.size == 0 || std::memcmp(a.data, b.data, a.size) == 0);
}

/// Folded column names of the target → does the target compute it itself.
std::map<std::string, bool> target_columns(Database& database, const std::string& table) {
    constexpr int kVirtualColumn = 2, kStoredColumn = 3;
    Statement read(database, "SELECT name, hidden FROM pragma_table_xinfo(?1)");
    read.bind_text(1, table);
    std::map<std::string, bool> columns;
    while (read.next()) {
        const auto hidden = read.integer(1);
        columns[folded(read.text(0))] = hidden == kVirtualColumn || hidden == kStoredColumn;
    }
    return columns;
}

}  // namespace

TableWriter::TableWriter(Database& database, const fanout_table& table, Policy policy)
    : database_(database),
      policy_(policy),
      version_(table.version),
      finder_(row_finder(table)),
      binder_(policy.unrepresentable) {
    const std::string name = target_name(table);
    if (target_columns(database_, name).empty()) {
        if (table.column_count == 0) {
            impossible_ = true;
            return;
        }
        const std::string text = create_table_text(table);
        if (!policy_.create_tables)
            throw ConnectorError(
                FANOUT_FATAL, "the target has no table \"" + name + "\" for " + source_name(table),
                "set create_tables in the subscription's options, or run: " + text);
        database_.execute(text);
    }
    check_columns(table);
}

void TableWriter::check_columns(const fanout_table& table) {
    const auto there = target_columns(database_, target_name(table));
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < table.column_count; ++i) {
        const fanout_column& column = table.columns[i];
        storage_.push_back(storage_of(column));
        const std::string name = folded(view(column.name));
        if (!seen.emplace(name, i).second)
            throw ConnectorError(FANOUT_FATAL,
                                 "table " + source_name(table) + " has two columns called \"" +
                                     name + "\" but for upper and lower case",
                                 "SQLite takes them for one: rename one of them");
        const auto found = there.find(name);
        if (found == there.end())
            throw ConnectorError(
                FANOUT_FATAL,
                "table \"" + target_name(table) + "\" of the target has no column \"" +
                    std::string(view(column.name)) + "\"",
                "run: ALTER TABLE " + kit::quote_identifier(target_name(table)) + " ADD COLUMN " +
                    column_definition(column) + ", then resume the subscription");
        if (!found->second) written_.push_back(i);
    }
}

int TableWriter::bind_columns(Statement& statement, int at, const std::vector<std::size_t>& columns,
                              const fanout_table& table, const fanout_value* image) {
    for (const std::size_t i : columns)
        binder_.bind(statement, at++, storage_[i], table.columns[i], image[i]);
    return at;
}

void TableWriter::insert(const fanout_change& change) {
    if (impossible_)
        throw ConnectorError(
            FANOUT_REJECT, "SQLite has no tables without columns",
            "give " + source_name(*change.table) + " a column, or take it out of the subscription");
    const bool replaces = (change.flags & FANOUT_CHANGE_LENIENT) != 0;
    if (replaces && finder_.kind == RowFinder::Kind::key) {
        if (!erase_) erase_.emplace(database_, delete_text(*change.table, finder_));
        bind_columns(*erase_, 1, finder_.columns, *change.table, change.after);
        erase_->run();
    }
    if (!insert_) insert_.emplace(database_, insert_text(*change.table, written_));
    bind_columns(*insert_, 1, written_, *change.table, change.after);
    insert_->run();
}

void TableWriter::need_finder(const fanout_table& table, const char* op) const {
    if (finder_.kind != RowFinder::Kind::none) return;
    throw ConnectorError(
        FANOUT_REJECT,
        std::string(op) + " on " + source_name(table) + ", whose replica identity names no row",
        "give the table a primary key or run: ALTER TABLE " +
            kit::quote_qualified(view(table.schema), view(table.name)) + " REPLICA IDENTITY FULL");
}

/// All but values that are not in the WAL, and the key while it stays what it was.
std::vector<std::size_t> TableWriter::changed_columns(const fanout_change& change) const {
    std::vector<std::size_t> changed;
    for (const std::size_t i : written_) {
        if (change.after[i].state == FANOUT_UNCHANGED) continue;
        const bool key =
            std::find(finder_.columns.begin(), finder_.columns.end(), i) != finder_.columns.end();
        const bool same_key = key && finder_.kind == RowFinder::Kind::key &&
                              (change.before_kind == FANOUT_BEFORE_NONE ||
                               same_value(change.before[i], change.after[i]));
        if (!same_key) changed.push_back(i);
    }
    return changed;
}

Statement& TableWriter::update_statement(const fanout_table& table,
                                         const std::vector<std::size_t>& changed) {
    const auto found = updates_.find(changed);
    if (found != updates_.end()) return found->second;
    return updates_.emplace(changed, Statement(database_, update_text(table, changed, finder_)))
        .first->second;
}

void TableWriter::update(const fanout_change& change) {
    need_finder(*change.table, "update");
    const fanout_value* found_by =
        change.before_kind == FANOUT_BEFORE_NONE ? change.after : change.before;
    auto changed = changed_columns(change);
    // Nothing but the key and values out of line: the row must still be there.
    if (changed.empty()) changed = {finder_.columns.front()};
    Statement& statement = update_statement(*change.table, changed);
    const int next = bind_columns(statement, 1, changed, *change.table, change.after);
    bind_columns(statement, next, finder_.columns, *change.table, found_by);
    need_one_row(statement.run(), change, found_by);
}

void TableWriter::erase(const fanout_change& change) {
    need_finder(*change.table, "delete");
    if (!erase_) erase_.emplace(database_, delete_text(*change.table, finder_));
    bind_columns(*erase_, 1, finder_.columns, *change.table, change.before);
    need_one_row(erase_->run(), change, change.before);
}

void TableWriter::need_one_row(std::int64_t changed, const fanout_change& change,
                               const fanout_value* found_by) const {
    const bool may_miss = policy_.skip_missing_rows || (change.flags & FANOUT_CHANGE_LENIENT) != 0;
    if (changed == 1 || (changed == 0 && may_miss)) return;
    throw ConnectorError(
        FANOUT_REJECT,
        "the target has " + std::to_string(changed) + " rows where " +
            describe_row(*change.table, finder_, found_by) + ", not one",
        changed == 0
            ? "the row was removed by someone else, or is older than the subscription: "
              "put it into the target, or set \"missing_rows\": \"skip\" in the target's options"
            : "the key is not unique in the target: make it so");
}

void TableWriter::truncate(const fanout_table& table) {
    if (!impossible_) database_.execute(truncate_text(table));
}

}  // namespace fanout::sqlite_target
