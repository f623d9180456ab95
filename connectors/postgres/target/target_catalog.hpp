// What a table of the target looks like, as far as applying changes depends on it.
//
// Read from the target's catalog when the source's shape of the table is first seen or changes.
// Lane's thread; plain data.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/link/session.hpp"

namespace fanout::postgres {

struct TargetColumn {
    std::string name;
    std::string type_name;   // qualified, without length: a cast to it never cuts a value
    std::string base_type;   // type_name below any domain
    Oid base_oid = 0;        // below any domain
    Oid array_oid = 0;       // array of base_oid
    bool generated = false;  // GENERATED ALWAYS AS (…) STORED
    bool always_identity = false;
    bool not_null = false;
    bool toastable = false;       // may arrive as "unchanged"
    bool plain_equality = false;  // equal values have equal bytes
};

struct UniqueIndex {
    std::vector<std::string> columns;
    std::vector<std::string> equality;  // operator per column
    bool usable_as_key = false;         // no expression, no predicate, checked at once
};

struct TargetTable {
    Oid oid = 0;
    char relkind = 'r';
    std::vector<TargetColumn> columns;
    std::vector<UniqueIndex> unique_indexes;  // exclusion constraints too, never usable as key
    bool enforces_foreign_keys = false;       // to or from it, in this session
    bool has_cascading_reference = false;     // a parent's change may change or delete rows here
    bool fires_triggers = false;              // triggers or rules run in this session

    const TargetColumn* find(std::string_view name) const;
};

/// Nothing if there is no such table. Throws if it is no table.
std::optional<TargetTable> read_target_table(Session& link, const std::string& schema,
                                             const std::string& name);

}  // namespace fanout::postgres
