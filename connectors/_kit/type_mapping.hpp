// What becomes of a type and of a schema change at a target, as data: each connector has one table
// of TypeMapping rows, which its code converts by, the tests expect by, and docs/fidelity.md is
// generated from.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "fanout/base/ids.hpp"
#include "fanout/connector/abi.h"

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

// ---- schema changes: by such a table each connector dispatches, docs/fidelity.md is generated

struct DdlEffect {
    fanout_ddl_kind kind;
    std::string_view effect;  // what is done; empty: nothing, it means nothing to the target
};

struct DdlKindName {
    fanout_ddl_kind kind;
    std::string_view shown;
};

inline constexpr DdlKindName kDdlKindNames[] = {
    {FANOUT_DDL_CREATE_TABLE, "table created"},
    {FANOUT_DDL_DROP_TABLE, "table dropped"},
    {FANOUT_DDL_RENAME_TABLE, "table renamed, other schema"},
    {FANOUT_DDL_ADD_COLUMN, "column added"},
    {FANOUT_DDL_DROP_COLUMN, "column dropped"},
    {FANOUT_DDL_RENAME_COLUMN, "column renamed"},
    {FANOUT_DDL_ALTER_TYPE, "type of a column"},
    {FANOUT_DDL_ALTER_NULLABLE, "NOT NULL"},
    {FANOUT_DDL_ALTER_DEFAULT, "default, identity, generated"},
    {FANOUT_DDL_ALTER_KEY, "primary key"},
    {FANOUT_DDL_REWRITE, "rows written anew"},
    {FANOUT_DDL_ATTACH_PARTITION, "partition attached"},
    {FANOUT_DDL_DETACH_PARTITION, "partition detached"},
    {FANOUT_DDL_CREATE_INDEX, "index created"},
    {FANOUT_DDL_DROP_INDEX, "index dropped"},
    {FANOUT_DDL_COMMENT, "comment"},
    {FANOUT_DDL_OTHER, "replica identity, SET UNLOGGED"},
};

constexpr bool has_effect(std::span<const DdlEffect> effects, std::uint8_t kind) {
    for (const DdlEffect& effect : effects)
        if (effect.kind == kind) return !effect.effect.empty();
    return false;
}

}  // namespace fanout::kit
