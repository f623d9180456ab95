// Values that are not to leave the server in clear: what takes their place, per column.
//
//   null    NULL
//   redact  a constant of the column's type: ***, 0, false, 1970-01-01, …
//   hash    HMAC-SHA-256 under the database's secret: equal values stay equal, nothing else is told
//   last4   *** and the last four characters; *** alone where there are no more than eight
//
// A NULL stays NULL. A mask makes one Datum of the column's type from another, so stream and copy
// carry the same. docs/tables.md has the rules for users.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::plugin {

enum class MaskKind : uint8 { null, redact, hash, last4 };

/// Of one column, ready for use.
struct Mask {
    MaskKind kind;
    Oid type;  // base type
    int32 typmod;
    Datum constant;       // redact
    const bytea* secret;  // hash
};

/// False if there is no mask of that name.
bool parse_mask_kind(const char* name, MaskKind* kind);

/// Why values of the type cannot be masked so; nullptr if they can. `type` may be a domain.
const char* why_not_masked(MaskKind kind, Oid type, int32 typmod);

/// Raises if nothing can be hashed with it.
void check_mask_secret(const bytea* secret);

/// In CurrentMemoryContext. `secret` is for `hash`, and has to stay.
Mask* make_mask(MaskKind kind, Oid type, int32 typmod, const bytea* secret);

/// For any kind but null. `value` is not NULL, and may be TOASTed.
Datum mask_value(const Mask* mask, Datum value);

}  // namespace fanout::plugin
