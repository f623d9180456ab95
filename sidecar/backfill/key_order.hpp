// Keys as the source's index orders them, for the types whose order is known here: a row of the
// stream has to be put into a range without asking the server.
//
// Everything else (a linguistic collation, enum, numeric, …) has no KeyKind, and its table is
// copied under one snapshot.
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
};

/// By the type's OID; `c_like`: the column's collation compares bytes.
std::optional<KeyKind> key_kind(std::uint32_t type_oid, bool c_like);

/// One key, a stored value per column. Shared, never changed.
using KeyValues = std::vector<std::string>;

std::strong_ordering compare_values(KeyKind kind, std::string_view a, std::string_view b);

/// For SQL: 'text'::type, exact.
std::string key_literal(KeyKind kind, std::string_view stored);

/// A place between keys: before or behind all rows of one key. Without values: an end of the table.
struct Bound {
    std::shared_ptr<const KeyValues> key;  // null: the end
    bool behind = true;
};

/// The key of an image; nothing if a column of it is not there.
std::optional<KeyValues> key_of(const std::vector<std::size_t>& places, const fanout_value* image);

struct KeyShape {
    std::vector<KeyKind> kinds;
    std::vector<std::string> columns;  // names
    std::vector<std::string> quoted;

    std::strong_ordering compare(const KeyValues& a, const KeyValues& b) const;
    /// Where the key stands in the images of `table`; nothing if it has other columns.
    std::optional<std::vector<std::size_t>> places_in(const fanout_table& table) const;
    /// Are these the columns by which the stream names rows of `table`?
    bool is_key_of(const fanout_table& table) const;
    /// "(a, b) > (1, 'x')", empty for an end of the table.
    std::string condition(const Bound& bound, bool lower) const;
    /// "(a, b) IN ((1, 'x'), …)"; of one key at least.
    std::string is_one_of(const std::vector<std::shared_ptr<const KeyValues>>& keys) const;

  private:
    std::string quoted_row() const;
    std::string literal_row(const KeyValues& values) const;
};

}  // namespace fanout::backfill
