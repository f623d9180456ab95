// One element of a subscription's list of tables: a pattern alone, or a JSON object that also says
// which rows and columns: {"table": "public.orders", "where": "total > 100", "columns": ["id"]},
// and what stands for values that are not to be seen: "masks": {"email": "hash"}.
//
// Of several elements that match a table one decides: a name before a pattern, then the first.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/table_pattern.hpp"
#include "pg_extension/values/mask.hpp"

namespace fanout::plugin {

struct ColumnMask {
    const char* column;
    MaskKind kind;
};

struct TableEntry {
    TablePattern pattern;
    const char* where;           // as it was written; nullptr: every row
    const char* const* columns;  // nullptr: every column
    int column_count;
    const ColumnMask* masks;  // by column name; nullptr: none
    int mask_count;
};

/// Parses into `entry`; memory comes from CurrentMemoryContext. Raises 22023 with a hint when the
/// text is malformed.
void parse_table_entry(const char* text, TableEntry* entry);

/// The place of the entry that decides on the table, -1 if none matches.
int deciding_entry(const TableEntry* entries, int count, const char* schema, const char* table);

}  // namespace fanout::plugin
