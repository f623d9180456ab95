// Stored values are little-endian and unaligned, as the wire format carries them.
#include "sidecar/backfill/key_order.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <limits>

#include "_kit/value_text.hpp"

namespace fanout::backfill {
namespace {

constexpr std::int64_t kDayMicros = 86'400'000'000;
constexpr std::int64_t kDaysTo2000 = 10'957;  // from 1970-01-01

template <typename T>
T load(std::string_view stored) {
    T value{};
    std::memcpy(&value, stored.data(), std::min(sizeof value, stored.size()));
    return value;
}

template <typename T>
std::strong_ordering compare_as(std::string_view a, std::string_view b) {
    return load<T>(a) <=> load<T>(b);
}

/// "2000-01-31", years of any size, " BC" is left to the caller.
struct Civil {
    std::int64_t year;
    unsigned month, day;
};

Civil civil_of(std::int64_t days_since_2000) {
    const std::int64_t z = days_since_2000 + kDaysTo2000 + 719'468;
    const std::int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
    const auto doe = static_cast<unsigned>(z - era * 146'097);
    const unsigned yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
    const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const unsigned mp = (5 * doy + 2) / 153;
    const unsigned month = mp < 10 ? mp + 3 : mp - 9;
    const std::int64_t year = static_cast<std::int64_t>(yoe) + era * 400 + (month <= 2 ? 1 : 0);
    return {year, month, doy - (153 * mp + 2) / 5 + 1};
}

std::string date_text(std::int64_t days, const std::string& time) {
    const Civil c = civil_of(days);
    char text[48];
    std::snprintf(text, sizeof text, "%04lld-%02u-%02u",
                  static_cast<long long>(c.year > 0 ? c.year : 1 - c.year), c.month, c.day);
    return text + time + (c.year > 0 ? "" : " BC");
}

std::string timestamp_text(std::int64_t micros, const char* zone) {
    if (micros == std::numeric_limits<std::int64_t>::max()) return "infinity";
    if (micros == std::numeric_limits<std::int64_t>::min()) return "-infinity";
    std::int64_t days = micros / kDayMicros, rest = micros % kDayMicros;
    if (rest < 0) {
        --days;
        rest += kDayMicros;
    }
    char time[40];
    std::snprintf(time, sizeof time, " %02d:%02d:%02d.%06d", static_cast<int>(rest / 3'600'000'000),
                  static_cast<int>(rest / 60'000'000 % 60), static_cast<int>(rest / 1'000'000 % 60),
                  static_cast<int>(rest % 1'000'000));
    return date_text(days, std::string(time) + zone);
}

std::string hex_of(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

std::string quoted_text(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        out += c;
        if (c == '\'') out += '\'';
    }
    return out + "'";
}

}  // namespace

KeyKind key_kind(std::uint32_t type_oid, bool c_like) {
    switch (type_oid) {
        case 21:
            return KeyKind::int2;
        case 23:
            return KeyKind::int4;
        case 20:
            return KeyKind::int8;
        case 26:
            return KeyKind::oid;
        case 16:
            return KeyKind::boolean;
        case 18:
            return KeyKind::one_byte;
        case 2950:
            return KeyKind::uuid;
        case 17:
            return KeyKind::bytes;
        case 25:
        case 1043:
            return c_like ? KeyKind::text : KeyKind::server;
        case 1082:
            return KeyKind::date;
        case 1114:
            return KeyKind::timestamp;
        case 1184:
            return KeyKind::timestamptz;
        default:
            return KeyKind::server;
    }
}

std::strong_ordering compare_values(KeyKind kind, std::string_view a, std::string_view b) {
    switch (kind) {
        case KeyKind::int2:
            return compare_as<std::int16_t>(a, b);
        case KeyKind::int4:
        case KeyKind::date:
            return compare_as<std::int32_t>(a, b);
        case KeyKind::int8:
        case KeyKind::timestamp:
        case KeyKind::timestamptz:
            return compare_as<std::int64_t>(a, b);
        case KeyKind::oid:
            return compare_as<std::uint32_t>(a, b);
        case KeyKind::boolean:
        case KeyKind::one_byte:
        case KeyKind::uuid:
        case KeyKind::bytes:
        case KeyKind::text:
        case KeyKind::server:
            break;
    }
    // string_view compares as unsigned bytes, the shorter of two equal beginnings first.
    const int order = a.compare(b);
    return order < 0 ? std::strong_ordering::less
                     : (order > 0 ? std::strong_ordering::greater : std::strong_ordering::equal);
}

std::string key_literal(KeyKind kind, std::string_view stored) {
    switch (kind) {
        case KeyKind::int2:
            return quoted_text(std::to_string(load<std::int16_t>(stored))) + "::pg_catalog.int2";
        case KeyKind::int4:
            return quoted_text(std::to_string(load<std::int32_t>(stored))) + "::pg_catalog.int4";
        case KeyKind::int8:
            return quoted_text(std::to_string(load<std::int64_t>(stored))) + "::pg_catalog.int8";
        case KeyKind::oid:
            return quoted_text(std::to_string(load<std::uint32_t>(stored))) + "::pg_catalog.oid";
        case KeyKind::boolean:
            return stored.at(0) != 0 ? "true" : "false";
        case KeyKind::one_byte:  // it may be no text
            return quoted_text(std::to_string(static_cast<signed char>(stored.at(0)))) +
                   "::pg_catalog.int4::pg_catalog.\"char\"";
        case KeyKind::uuid:
            return quoted_text(hex_of(stored)) + "::pg_catalog.uuid";
        case KeyKind::bytes:
            return quoted_text("\\x" + hex_of(stored)) + "::pg_catalog.bytea";
        case KeyKind::text:
            return quoted_text(stored) + "::pg_catalog.text";
        case KeyKind::date: {
            const auto days = load<std::int32_t>(stored);
            if (days == std::numeric_limits<std::int32_t>::max()) return "'infinity'::date";
            if (days == std::numeric_limits<std::int32_t>::min()) return "'-infinity'::date";
            return quoted_text(date_text(days, "")) + "::pg_catalog.date";
        }
        case KeyKind::timestamp:
            return quoted_text(timestamp_text(load<std::int64_t>(stored), "")) +
                   "::pg_catalog.timestamp";
        case KeyKind::timestamptz:
            return quoted_text(timestamp_text(load<std::int64_t>(stored), "+00")) +
                   "::pg_catalog.timestamptz";
        case KeyKind::server:
            break;
    }
    return "NULL";
}

std::strong_ordering KeyShape::compare(const KeyValues& a, const KeyValues& b) const {
    for (std::size_t i = 0; i < kinds.size(); ++i)
        if (const auto order = compare_values(kinds[i], a[i], b[i]); order != 0) return order;
    return std::strong_ordering::equal;
}

std::optional<std::vector<std::size_t>> KeyShape::places_in(const fanout_table& table) const {
    std::vector<std::size_t> places;
    for (const auto& column : columns)
        for (std::size_t i = 0; i < table.column_count; ++i)
            if (column == std::string_view(table.columns[i].name.data, table.columns[i].name.size))
                places.push_back(i);
    if (places.size() != columns.size()) return std::nullopt;
    return places;
}

bool KeyShape::is_key_of(const fanout_table& table) const {
    const auto places = places_in(table);
    if (!places) return false;
    const unsigned flag = table.identity == 'f' ? FANOUT_COLUMN_PRIMARY_KEY : FANOUT_COLUMN_KEY;
    std::size_t flagged = 0;
    for (std::size_t i = 0; i < table.column_count; ++i)
        flagged += (table.columns[i].flags & flag) != 0 ? 1 : 0;
    return flagged == places->size() && std::ranges::all_of(*places, [&](std::size_t i) {
               return (table.columns[i].flags & flag) != 0;
           });
}

std::optional<KeyValues> key_of(const std::vector<std::size_t>& places, const fanout_value* image,
                                const fanout_value* before) {
    KeyValues key;
    key.reserve(places.size());
    for (const std::size_t place : places) {
        const bool as_before = before != nullptr && image[place].state == FANOUT_UNCHANGED;
        const fanout_value& value = as_before ? before[place] : image[place];
        if (value.state != FANOUT_PRESENT) return std::nullopt;
        key.emplace_back(reinterpret_cast<const char*>(value.data), value.size);
    }
    return key;
}

namespace {

std::string row(std::string columns, std::size_t count) {
    return count == 1 ? columns : "(" + columns + ")";
}

}  // namespace

std::string KeyShape::quoted_row() const {
    std::string out;
    for (const auto& name : quoted)
        out += (out.empty() ? "" : ", ") + name;
    return row(std::move(out), quoted.size());
}

/// A value that cannot be one of its type is shown as such, and refused by the server.
std::string KeyShape::literal(std::size_t column, const KeyValues& values) const {
    const std::string& stored = values[column];
    if (kinds[column] != KeyKind::server) return key_literal(kinds[column], stored);
    const ServerOrder& order = orders[column];
    const fanout_value value{reinterpret_cast<const std::uint8_t*>(stored.data()),
                             static_cast<std::uint32_t>(stored.size()), FANOUT_PRESENT};
    try {
        return quoted_text(kit::value_text(order.column, value)) + order.cast;
    } catch (const std::exception& error) {
        return quoted_text(error.what()) + order.cast;
    }
}

std::string KeyShape::literal_row(const KeyValues& values) const {
    std::string out;
    for (std::size_t i = 0; i < kinds.size(); ++i)
        out += (i == 0 ? "" : ", ") + literal(i, values);
    return row(std::move(out), kinds.size());
}

/// Types of extensions have their operators elsewhere, where no search_path of ours looks.
bool KeyShape::own_operators() const {
    return std::ranges::any_of(orders, [](const auto& order) { return !order.operators.empty(); });
}

std::string KeyShape::compared(std::size_t column, const char* op, const KeyValues& values) const {
    const std::string& schema = orders[column].operators;
    return quoted[column] + " OPERATOR(" + (schema.empty() ? "pg_catalog" : schema) + "." + op +
           ") " + literal(column, values);
}

std::string KeyShape::select_list() const {
    std::string out;
    for (std::size_t i = 0; i < quoted.size(); ++i)
        out += (i == 0 ? "" : ", ") + (server_ordered() ? orders[i].select : quoted[i]);
    return out;
}

std::string KeyShape::order_by(const std::string& table) const {
    std::string out = " ORDER BY ";
    for (std::size_t i = 0; i < quoted.size(); ++i)
        out += (i == 0 ? "" : ", ") + table + "." + quoted[i];
    return out;
}

std::string KeyShape::condition(const Bound& bound, bool lower) const {
    if (bound.key == nullptr) return {};
    const char* op = nullptr;
    if (lower) {
        op = bound.behind ? ">" : ">=";
    } else {
        op = bound.behind ? "<=" : "<";
    }
    const KeyValues& values = *bound.key;
    if (!own_operators()) return quoted_row() + " " + op + " " + literal_row(values);
    // A row is compared by operators that are found by name, so this one column by column; the
    // first column's own condition lets the index be used.
    const std::string strict = op[0] == '>' ? ">" : "<", wide = strict + "=";
    const std::size_t last = kinds.size() - 1;
    std::string out = compared(last, op, values);
    for (std::size_t i = last; i-- > 0;)
        out = "(" + compared(i, wide.c_str(), values) + " AND (" +
              compared(i, strict.c_str(), values) + " OR " + out + "))";
    return out;
}

std::string KeyShape::is_one_of(const std::vector<std::shared_ptr<const KeyValues>>& keys) const {
    std::string out;
    if (!own_operators()) {
        for (const auto& key : keys)
            out += (out.empty() ? " IN (" : ", ") + literal_row(*key);
        return quoted_row() + out + ")";
    }
    for (const auto& key : keys) {
        std::string one;
        for (std::size_t i = 0; i < kinds.size(); ++i)
            one += (i == 0 ? "(" : " AND ") + compared(i, "=", *key);
        out += (out.empty() ? "(" : " OR ") + one + ")";
    }
    return out + ")";
}

bool KeyShape::same_order(const KeyShape& other) const {
    return columns == other.columns && kinds == other.kinds &&
           std::ranges::equal(orders, other.orders, [](const auto& now, const auto& before) {
               return now.by == before.by && (now.labels_hash == before.labels_hash ||
                                              (!before.labels.empty() &&
                                               std::ranges::includes(now.labels, before.labels)));
           });
}

}  // namespace fanout::backfill
