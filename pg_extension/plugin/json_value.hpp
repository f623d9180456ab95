// One value of a row as JSON, for the text face.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/relation_cache.hpp"

namespace fanout::plugin {

/// Numbers with all their digits, booleans, base64 for bytea, json embedded; anything else is a
/// string of the type's output.
void append_json_value(StringInfo out, ColumnPlan* column, Datum datum, bool is_null);

void append_json_base64(StringInfo out, const char* data, Size size);

/// "2026-11-22T10:00:00.123456Z", quoted.
void append_json_time(StringInfo out, TimestampTz time);

}  // namespace fanout::plugin
