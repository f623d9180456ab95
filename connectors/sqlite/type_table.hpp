// What each type becomes in SQLite: how a value is bound, and what its column is declared as.
#pragma once

#include "_kit/stored_types.hpp"
#include "_kit/type_mapping.hpp"

namespace fanout::sqlite_target {

enum class Storage : std::uint8_t { boolean, int2, int4, int8, oid, float4, float8, blob, text };

inline constexpr std::string_view kRealNote =
    "NaN is no REAL; the negative zero loses its sign (SQLite stores it as 0)";
inline constexpr std::string_view kTextNote =
    "bytes that are not UTF-8 (see below) are no text; more than 1,000,000,000 bytes are "
    "rejected";

inline constexpr std::string_view kXmlNote =
    "as it is stored, XML declaration included; the text is UTF-8 whatever that says";

inline constexpr kit::TypeMapping<Storage> kTypes[] = {
    {kit::type_oid::kBool, Storage::boolean, "INTEGER", kit::Fidelity::exact, "0 or 1"},
    {kit::type_oid::kInt2, Storage::int2, "INTEGER", kit::Fidelity::exact, ""},
    {kit::type_oid::kInt4, Storage::int4, "INTEGER", kit::Fidelity::exact, ""},
    {kit::type_oid::kInt8, Storage::int8, "INTEGER", kit::Fidelity::exact, ""},
    {kit::type_oid::kOid, Storage::oid, "INTEGER", kit::Fidelity::exact, ""},
    {kit::type_oid::kFloat4, Storage::float4, "REAL", kit::Fidelity::policy, kRealNote},
    {kit::type_oid::kFloat8, Storage::float8, "REAL", kit::Fidelity::policy, kRealNote},
    {kit::type_oid::kBytea, Storage::blob, "BLOB", kit::Fidelity::exact,
     "more than 1,000,000,000 bytes are rejected"},
    {kit::type_oid::kXml, Storage::text, "TEXT", kit::Fidelity::text, kXmlNote},
    {0, Storage::text, "TEXT", kit::Fidelity::text, kTextNote},
};

constexpr const kit::TypeMapping<Storage>& mapping_of(Oid32 type) {
    return kit::find_mapping<Storage>(std::span<const kit::TypeMapping<Storage>>(kTypes), type);
}

}  // namespace fanout::sqlite_target
