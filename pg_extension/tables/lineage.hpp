// A table and the partitioned tables above it: what a list of tables can name it by, and under
// whose name its rows go out.
//
// Without via_root a partition goes out as itself, and an entry that names a table above it chooses
// it too: a name before a pattern, the nearest first. With via_root the topmost table above it that
// an entry matches stands for it.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/table_entry.hpp"

namespace fanout::plugin {

struct NamedTable {
    Oid oid;
    const char* schema;
    const char* name;
};

/// The table itself, then what is above it, nearest first.
struct Lineage {
    NamedTable* tables;
    int count;
};

/// Looks into the catalogs; in CurrentMemoryContext.
Lineage lineage_of(Oid relation, bool is_partition, const char* schema, const char* name);

struct Decision {
    int entry;    // -1: none matches
    int carrier;  // place in the lineage of the table whose name the rows carry
};

Decision decide(const TableEntry* entries, int count, bool via_root, const Lineage& lineage);

}  // namespace fanout::plugin
