// What becomes of a type at a target, as data: each connector has one table of TypeMapping rows,
// which its code converts by, the tests expect by, and docs/fidelity.md is generated from.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "fanout/base/ids.hpp"

namespace fanout::kit {

enum class Fidelity : std::uint8_t {
    exact,   // the same value, read back to the last bit
    text,    // PostgreSQL's own text of the value, to the last digit
    policy,  // exact, but for the values the note names: those follow option "unrepresentable"
    loss,    // exact, but for what the note names
};

/// A row for OID 0 stands for every type that has no row of its own.
template <typename Form>
struct TypeMapping {
    Oid32 oid;
    Form form;                // what the connector's code goes by
    std::string_view target;  // type at the target
    Fidelity fidelity;
    std::string_view note;
};

template <typename Form>
constexpr const TypeMapping<Form>& find_mapping(std::span<const TypeMapping<Form>> table,
                                                Oid32 oid) {
    const TypeMapping<Form>* other = nullptr;
    for (const auto& row : table) {
        if (row.oid == oid) return row;
        if (row.oid == 0) other = &row;
    }
    return *other;
}

constexpr std::string_view fidelity_text(Fidelity fidelity) {
    constexpr std::array<std::string_view, 4> kTexts = {"exact", "text", "policy", "loss"};
    return kTexts[static_cast<std::size_t>(fidelity)];
}

}  // namespace fanout::kit
