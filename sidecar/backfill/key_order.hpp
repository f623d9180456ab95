// Keys as the source's index orders them. Of the types whose order is known here a row of the
// stream can be put into a range without asking the server.
//
// Everything else (a linguistic collation, enum, numeric, …) is of kind `server`: its ranges are
// cut by the server, and only it can say what is in one of them.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanout/connector/abi.h"

namespace fanout::backfill {

/// The numbers stand in notes at the target.
enum class KeyKind : std::uint8_t {
    int2,
    int4,
    int8,
    oid,
    boolean,
    uuid,
    bytes,  // bytea
    text,   // text, varchar: byte by byte
    date,
    timestamp,
    timestamptz,
    server,    // in an order that only the source knows
    one_byte,  // "char"
};

/// By the type's OID; `c_like`: the column's collation compares bytes.
KeyKind key_kind(std::uint32_t type_oid, bool c_like);

/// One key, a stored value per column. Shared, never changed.
using KeyValues = std::vector<std::string>;

std::strong_ordering compare_values(KeyKind kind, std::string_view a, std::string_view b);

/// For SQL: 'text'::type, exact. Not of kind `server`.
std::string key_literal(KeyKind kind, std::string_view stored);

/// A place between keys: before or behind all rows of one key. Without values: an end of the table.
struct Bound {
    std::shared_ptr<const KeyValues> key;  // null: the end
    bool behind = true;
};

/// The key of an image; nothing if a column of it is not there. `before`, if not null, has what the
/// image leaves unchanged: a key may be so long that it is TOASTed.
std::optional<KeyValues> key_of(const std::vector<std::size_t>& places, const fanout_value* image,
                                const fanout_value* before = nullptr);

/// A key column of kind `server`.
struct ServerOrder {
    fanout_column column{};  // type and class, for the text of a value
    std::string select;      // what makes the stream's value of it
    std::string cast;        // behind a literal: "::type", or nothing where a collation counts
    std::string operators;   // their schema, quoted; empty: pg_catalog
    std::string by;          // type and collation: if that is another, so is the order
    std::vector<std::string> labels = {};  // of an enum: "oid label", sorted; not known from a note
    std::string labels_hash = {};
};

struct KeyShape {
    std::vector<KeyKind> kinds;
    std::vector<std::string> columns;  // names
    std::vector<std::string> quoted;
    std::vector<ServerOrder> orders = {};  // none, or one for each column
    bool equal_as_bytes = false;           // two keys are one exactly if their stored values are

    /// Keys are compared by the source alone.
    bool server_ordered() const { return !orders.empty(); }
    /// Whether ranges of `other`, from before, are ranges of this, too. A label that was added does
    /// not matter; one with another name does, for bounds are written by their labels.
    bool same_order(const KeyShape& other) const;
    /// Not if `server_ordered()`.
    std::strong_ordering compare(const KeyValues& a, const KeyValues& b) const;
    /// Where the key stands in the images of `table`; nothing if it has other columns.
    std::optional<std::vector<std::size_t>> places_in(const fanout_table& table) const;
    /// Are these the columns by which the stream names rows of `table`?
    bool is_key_of(const fanout_table& table) const;
    /// The select list that has the stream's values of the key.
    std::string select_list() const;
    /// " ORDER BY …"; `table` is its quoted name: a name alone would be that of an output column.
    std::string order_by(const std::string& table) const;
    /// "(a, b) > (1, 'x')", empty for an end of the table.
    std::string condition(const Bound& bound, bool lower) const;
    /// "(a, b) IN ((1, 'x'), …)"; of one key at least.
    std::string is_one_of(const std::vector<std::shared_ptr<const KeyValues>>& keys) const;

  private:
    std::string quoted_row() const;
    std::string literal(std::size_t column, const KeyValues& values) const;
    std::string literal_row(const KeyValues& values) const;
    std::string compared(std::size_t column, const char* op, const KeyValues& values) const;
    bool own_operators() const;
};

}  // namespace fanout::backfill
