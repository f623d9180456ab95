// A source in memory: tables whose rows are real stored values, read from the pages of a server,
// and the transactions made of them.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fanout/connector/connector.hpp"
#include "postgres/tests/test_server.hpp"

namespace fanout::postgres_test {

/// One value as the source stores it.
struct Cell {
    std::string bytes;
    fanout_value_state state = FANOUT_PRESENT;
};
using Row = std::vector<Cell>;

Cell null_cell();
Cell unchanged_cell();

/// The shape of a table as the decoding worker would describe it.
class SourceTable {
  public:
    /// Reads the shape of an existing table.
    SourceTable(Client& source, const std::string& schema, const std::string& name,
                std::uint64_t version = 1);
    SourceTable(const SourceTable&) = delete;
    SourceTable& operator=(const SourceTable&) = delete;

    /// The rows of `SELECT * FROM table ORDER BY ctid`, in their stored form.
    std::vector<Row> stored_rows(Client& source) const;
    const fanout_table& table() const { return table_; }
    const fanout_column& column(std::size_t i) const { return columns_[i]; }

  private:
    std::deque<std::string> texts_;
    std::vector<fanout_column> columns_;
    fanout_table table_{};
    fanout_text keep(std::string text);
};

/// Collects transactions; batch() is valid as long as this object.
class Feed {
  public:
    explicit Feed(std::uint64_t first_lsn = 0x1000) : lsn_(first_lsn) {}

    Feed& begin();
    Feed& insert(const SourceTable& table, const Row& row);
    Feed& update(const SourceTable& table, const Row& row, const std::optional<Row>& before = {});
    Feed& remove(const SourceTable& table, const Row& before);
    Feed& truncate(std::initializer_list<const SourceTable*> tables, unsigned flags = 0);
    fanout_cursor commit();
    const fanout_batch& batch();

  private:
    struct Transaction {
        std::deque<fanout_change> changes;
        std::vector<fanout_change> flat;
        fanout_transaction header{};
    };
    fanout_change& change(fanout_op op);
    const fanout_value* image(const Row& row);

    std::uint64_t lsn_;
    std::deque<Transaction> transactions_;
    std::deque<Row> rows_;
    std::deque<std::vector<fanout_value>> images_;
    std::deque<std::vector<const fanout_table*>> table_lists_;
    std::vector<fanout_transaction> headers_;
    fanout_batch batch_{};
};

}  // namespace fanout::postgres_test
