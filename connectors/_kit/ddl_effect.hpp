// What each kind of schema change does to a kind of target: data, by which connectors dispatch and
// from which docs/fidelity.md is generated.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "fanout/connector/abi.h"

namespace fanout::kit {

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
