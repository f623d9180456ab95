// One value as JSON: the rules are those of connectors/_kit/json_encoder.hpp, by PostgreSQL's own
// output functions.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::json_face {

/// Integers, numerics and floats as numbers (NaN and infinities as strings), booleans as such,
/// bytea in base64, json and jsonb embedded, everything else as a string of its text form.
void write_value(StringInfo out, Oid type, Datum value, bool is_null);

/// A quoted base64 string.
void write_base64(StringInfo out, const char* data, Size size);

/// A quoted ISO 8601 time in UTC, with microseconds.
void write_time(StringInfo out, TimestampTz time);

}  // namespace fanout::json_face
