// What each type becomes in another PostgreSQL database: what a column of it is created as.
#pragma once

#include "_kit/type_mapping.hpp"

namespace fanout::postgres {

enum class Creation : std::uint8_t {
    same_type,  // as the source calls it; a type that is not built in has to be there
    as_text,    // no server reads a value of the type back in
};

inline constexpr std::string_view kByName =
    "by name: what it names has to exist in the target, else the subscription stops";
inline constexpr std::string_view kNoInput = "the server has no input for values of this type";

inline constexpr kit::TypeMapping<Creation> kTypes[] = {
    {24, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {2202, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {2203, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {2204, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {2205, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {2206, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {3734, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {3769, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {4089, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {4096, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {4191, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {1033, Creation::same_type, "the same", kit::Fidelity::exact, kByName},
    {194, Creation::as_text, "text", kit::Fidelity::text, kNoInput},
    {3361, Creation::as_text, "text", kit::Fidelity::text, kNoInput},
    {3402, Creation::as_text, "text", kit::Fidelity::text, kNoInput},
    {5017, Creation::as_text, "text", kit::Fidelity::text, kNoInput},
    {3642, Creation::as_text, "text", kit::Fidelity::text, kNoInput},
    {4600, Creation::as_text, "text", kit::Fidelity::text, kNoInput},
    {4601, Creation::as_text, "text", kit::Fidelity::text, kNoInput},
    {0, Creation::same_type, "the same", kit::Fidelity::exact,
     "text that is not UTF-8 (see below) is rejected, unless both databases are in SQL_ASCII and "
     "the "
     "dsn sets client_encoding to that"},
};

constexpr const kit::TypeMapping<Creation>& mapping_of(Oid32 type) {
    return kit::find_mapping<Creation>(std::span<const kit::TypeMapping<Creation>>(kTypes), type);
}

}  // namespace fanout::postgres
