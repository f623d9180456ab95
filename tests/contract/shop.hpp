// A small source database in memory: makes the transactions a connector is fed with, and knows
// what the target must hold after them.
//
// Three tables: public.items (key id, a body that may be TOASTed), sales."Odd ""Name" (text key),
// public.words (no key, identity full, equal rows allowed). Same seed, same transactions.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fanout/connector/abi.h"

namespace fanout::contract {

struct Cell {
    enum class Kind { null, unchanged, absent, integer, text };
    Kind kind = Kind::null;
    std::int64_t number = 0;
    std::string text;

    Cell() = default;
    Cell(int value) : kind(Kind::integer), number(value) {}
    Cell(std::int64_t value) : kind(Kind::integer), number(value) {}
    Cell(const char* value) : kind(Kind::text), text(value) {}
    Cell(std::string value) : kind(Kind::text), text(std::move(value)) {}
    static Cell unchanged();
    bool operator==(const Cell&) const = default;
    auto operator<=>(const Cell&) const = default;
};

using Row = std::vector<Cell>;

enum class Table : std::size_t { items, odd, words };
inline constexpr std::size_t kTableCount = 3;

/// A finished source transaction with everything its views point into.
class Transaction {
  public:
    fanout_transaction whole() const { return part(0, changes_.size()); }
    fanout_transaction part(std::size_t first, std::size_t count) const;
    std::size_t size() const { return changes_.size(); }
    fanout_cursor cursor() const;

  private:
    friend class Shop;
    std::uint64_t number_ = 0;
    std::deque<std::string> bytes_;
    std::deque<std::vector<fanout_value>> images_;
    std::deque<std::vector<const fanout_table*>> table_lists_;
    std::vector<fanout_change> changes_;
};

class Shop {
  public:
    Shop();

    void begin();
    void insert(Table table, Row row);
    /// `old_key` finds the row; cells of `after` may be unchanged().
    void update(Table table, const Cell& old_key, Row after);
    void erase(Table table, const Cell& key);
    void update_word(const Row& before, const Row& after);
    void erase_word(const Row& row);
    void truncate(const std::vector<Table>& tables);
    void message(const std::string& prefix, const std::string& content);
    std::shared_ptr<const Transaction> commit();

    /// The next transaction of the random workload; every 40th is large. Its content depends on its
    /// number and what is there already, so that replay() ends where the first run did.
    std::shared_ptr<const Transaction> random();
    void replay(std::uint64_t transactions);
    static bool is_large(std::uint64_t number) { return number % 40 == 0; }
    /// How many transactions were committed: the last one's number.
    std::uint64_t transactions() const { return number_; }
    static std::uint64_t number_of(const fanout_cursor& cursor);

    /// As contract_target prints it.
    std::vector<std::string> content(bool with_messages) const;

  private:
    fanout_change& add(fanout_op op, Table table);
    const fanout_value* image(Table table, const Row& row);
    void random_change(std::mt19937_64& random);

    static constexpr std::size_t kKept = 500;

    std::uint64_t number_ = 0;
    std::shared_ptr<Transaction> open_;
    std::deque<std::shared_ptr<const Transaction>> kept_;
    std::map<Cell, Row> rows_[kTableCount];  // words: unused
    std::vector<Row> words_;
    std::vector<std::string> messages_;
};

}  // namespace fanout::contract
