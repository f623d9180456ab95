// The statements of one source table in one shape: prepared once, bound and run per change.
//
// Lane's thread. Owns its statements; a new table version gets a new writer. Must never change
// another number of rows than the source did.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fanout/connector/abi.h"
#include "sqlite/database.hpp"
#include "sqlite/row_binder.hpp"
#include "sqlite/sql_text.hpp"

namespace fanout::sqlite_target {

class TableWriter {
  public:
    struct Policy {
        bool create_tables = false;
        bool skip_missing_rows = false;
        kit::Unrepresentable unrepresentable = kit::Unrepresentable::text;
    };
    /// Makes the table if it is missing and may be made; checks that it has the columns.
    TableWriter(Database& database, const fanout_table& table, Policy policy);

    std::uint64_t version() const { return version_; }
    /// SQLite has no tables without columns: then there is none, and inserts are refused by name.
    bool impossible() const { return impossible_; }
    void insert(const fanout_change& change);
    void update(const fanout_change& change);
    void erase(const fanout_change& change);
    void truncate(const fanout_table& table);

  private:
    void check_columns(const fanout_table& table);
    void need_finder(const fanout_table& table, const char* op) const;
    std::vector<std::size_t> changed_columns(const fanout_change& change) const;
    Statement& update_statement(const fanout_table& table, const std::vector<std::size_t>& changed);
    int bind_columns(Statement& statement, int at, const std::vector<std::size_t>& columns,
                     const fanout_table& table, const fanout_value* image);
    void need_one_row(std::int64_t changed, const fanout_change& change,
                      const fanout_value* found_by) const;

    Database& database_;
    Policy policy_;
    std::uint64_t version_;
    bool impossible_ = false;
    RowFinder finder_;
    std::vector<Storage> storage_;
    std::vector<std::size_t> written_;  // columns that are not computed by the target itself
    RowBinder binder_;
    std::optional<Statement> insert_, erase_;
    std::map<std::vector<std::size_t>, Statement> updates_;  // by the columns they set
};

}  // namespace fanout::sqlite_target
