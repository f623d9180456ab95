// Which built-in types travel in their stored form, and what that form looks like.
//
// One table for everything that has to read stored bytes: the text form, the binary send form,
// JSON. The decoding worker sends a type as FANOUT_FIXED only if it is listed here with that width.
// A pattern names the fields of the stored form in order, one digit for the width of an integer
// or float that the send form has in network order, 'b' for a byte that stays as it is.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fanout/base/ids.hpp"

namespace fanout::kit {

enum class TextKind : std::uint8_t {
    boolean,
    int2,
    int4,
    int8,
    uint4,
    uint8,
    float4,
    float8,
    date,
    time,
    timetz,
    timestamp,
    timestamptz,
    interval,
    uuid,
    money,
    macaddr,
    single_char,
    lsn,
    tid,
    point,
    lseg,
    box,
    line,
    circle,
};

struct StoredType {
    Oid32 oid;
    std::uint16_t width;
    TextKind text;
    std::string_view pattern;
};

/// PostgreSQL's fixed OIDs of the built-in types that connectors ask about by name.
namespace type_oid {
inline constexpr Oid32 kBool = 16, kBytea = 17, kChar = 18, kName = 19, kInt8 = 20, kInt2 = 21,
                       kInt4 = 23, kText = 25, kOid = 26, kJson = 114, kXml = 142, kFloat4 = 700,
                       kFloat8 = 701, kBpchar = 1042, kVarchar = 1043, kDate = 1082, kTime = 1083,
                       kTimestamp = 1114, kTimestamptz = 1184, kInterval = 1186, kTimetz = 1266,
                       kNumeric = 1700, kRegclass = 2205, kUuid = 2950, kJsonb = 3802;
}  // namespace type_oid

inline constexpr StoredType kStoredTypes[] = {
    {16, 1, TextKind::boolean, "b"},
    {18, 1, TextKind::single_char, "b"},
    {20, 8, TextKind::int8, "8"},
    {21, 2, TextKind::int2, "2"},
    {23, 4, TextKind::int4, "4"},
    {24, 4, TextKind::uint4, "4"},  // regproc and its kin: the number, names are the source's own
    {26, 4, TextKind::uint4, "4"},
    {27, 6, TextKind::tid, "222"},
    {28, 4, TextKind::uint4, "4"},
    {29, 4, TextKind::uint4, "4"},
    {600, 16, TextKind::point, "88"},
    {601, 32, TextKind::lseg, "8888"},
    {603, 32, TextKind::box, "8888"},
    {628, 24, TextKind::line, "888"},
    {700, 4, TextKind::float4, "4"},
    {701, 8, TextKind::float8, "8"},
    {718, 24, TextKind::circle, "888"},
    {774, 8, TextKind::macaddr, "bbbbbbbb"},
    {790, 8, TextKind::money, "8"},
    {829, 6, TextKind::macaddr, "bbbbbb"},
    {1082, 4, TextKind::date, "4"},
    {1083, 8, TextKind::time, "8"},
    {1114, 8, TextKind::timestamp, "8"},
    {1184, 8, TextKind::timestamptz, "8"},
    {1186, 16, TextKind::interval, "844"},
    {1266, 12, TextKind::timetz, "84"},
    {2202, 4, TextKind::uint4, "4"},
    {2203, 4, TextKind::uint4, "4"},
    {2204, 4, TextKind::uint4, "4"},
    {2205, 4, TextKind::uint4, "4"},
    {2206, 4, TextKind::uint4, "4"},
    {2950, 16, TextKind::uuid, "bbbbbbbbbbbbbbbb"},
    {3220, 8, TextKind::lsn, "8"},
    {3734, 4, TextKind::uint4, "4"},
    {3769, 4, TextKind::uint4, "4"},
    {4089, 4, TextKind::uint4, "4"},
    {4096, 4, TextKind::uint4, "4"},
    {4191, 4, TextKind::uint4, "4"},
    {5069, 8, TextKind::uint8, "8"},
};

namespace detail {

inline constexpr Oid32 kStoredOidEnd = 5070;

// Position in kStoredTypes plus one, by OID: this is asked for every value.
consteval std::array<std::uint8_t, kStoredOidEnd> index_stored_types() {
    std::array<std::uint8_t, kStoredOidEnd> index{};
    std::uint8_t position = 0;
    for (const auto& type : kStoredTypes)
        index[type.oid] = ++position;
    return index;
}

inline constexpr auto kStoredTypeIndex = index_stored_types();

}  // namespace detail

/// The stored type with this OID, or null: such a type never travels as FANOUT_FIXED.
constexpr const StoredType* find_stored_type(Oid32 oid) {
    if (oid >= detail::kStoredOidEnd || detail::kStoredTypeIndex[oid] == 0) return nullptr;
    return &kStoredTypes[detail::kStoredTypeIndex[oid] - 1];
}

}  // namespace fanout::kit
