// One pattern that names tables: `schema.table`, `schema.*`, or `/regex/` matched anywhere in
// "schema.table". The only implementation of matching: SQL asks it through
// fanout.pattern_matches(), the decoding worker uses it directly.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::plugin {

struct TablePattern {
    enum class Kind : uint8 { table, schema, regex };
    Kind kind;
    const char* schema;  // table, schema
    const char* table;   // table
    text* regex;         // regex
};

/// Parses into `pattern`; memory comes from CurrentMemoryContext. Raises 22023 with a hint when the
/// text is malformed.
void parse_table_pattern(const char* text, TablePattern* pattern);

bool matches(const TablePattern& pattern, const char* schema, const char* table);

}  // namespace fanout::plugin
