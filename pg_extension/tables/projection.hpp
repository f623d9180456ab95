// What one group of subscriptions gets of a table: which rows, which columns, in which form.
//
// Subscriptions that want the same share a projection, so that their rows are encoded once. Each
// has a relation record and a version of its own; a row record names the version, and thereby whom
// it is for. A table of which everybody gets everything has one projection and no predicate.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/row_predicate.hpp"
#include "pg_extension/tables/table_filter.hpp"
#include "pg_extension/values/mask.hpp"
#include "pg_extension/values/value_plan.hpp"
//
#include "fanout/wire/record_format.hpp"

namespace fanout::plugin {

struct ColumnPlan {
    ValuePlan value;
    const char* name;
    int attribute;      // place in the deformed row, from 0; behind its last: always NULL
    AttrNumber number;  // in the table
    uint8 flags;        // wire::kColumnKey …
    FmgrInfo output;
    const Mask* mask;      // with Access::masked
    Access masked_access;  // how to find what the mask gives
};

/// One value, found but not yet written.
struct FoundValue {
    wire::Tag tag;
    uint32 size;
    const void* data;
    Datum datum;
};

/// A deformed tuple; `values` is nullptr where there is none.
struct RowImage {
    Datum* values;
    bool* nulls;
};

struct Projection {
    RowPredicate* predicate;  // nullptr: every row
    wire::Identity identity;  // as the subscriptions see it
    bool wanted;              // by somebody who gets its rows
    const uint32* wanted_ids;
    uint16 wanted_count;
    bool masks;          // some value is not to leave in clear
    uint8 record_flags;  // of the relation record
    uint32 version;
    ColumnPlan* columns;
    int column_count;
    bool calls_output;     // some values are had of their type's output function, which may raise
    FoundValue* found[2];  // room for the old and the new image
    const char* body;      // of the relation record, without the version
    Size body_size;
    uint64 counted_serial;  // the transaction for which `counted_place` holds
    uint32 counted_place;   // where its filtered rows are counted
    Projection* next;
};

/// The projections of `relation`, in CurrentMemoryContext, which holds them for good. An entry that
/// does not fit the table is refused for its subscription alone, unless `raises`.
Projection* build_projections(Relation relation, const char* schema, const char* name,
                              const Verdict& verdict, bool raises);

/// What stands for the values of a column, by attribute number from 1; 0 means nothing does.
using MaskByNumber = uint8;

/// Why the changes of `partition` cannot be those of `above`; nullptr if they can be.
const char* why_not_as(Relation partition, Relation above);

/// By attribute number: of the primary key and of the replica identity's index.
Bitmapset* key_columns(Relation relation);

/// nullptr if the entry has no masks; raises if `relation` cannot be carried with them.
MaskByNumber* check_masks(Relation relation, const TableEntry& entry);

inline MaskByNumber as_mask_number(MaskKind kind) {
    return static_cast<MaskByNumber>(static_cast<uint8>(kind) + 1);
}

inline MaskKind mask_kind(MaskByNumber mask) {
    return static_cast<MaskKind>(mask - 1);
}

/// The columns of `entry` by attribute number, nullptr for all of them; raises if they cannot be
/// those of a projection of `relation`.
Bitmapset* check_columns(Relation relation, const TableEntry& entry);

/// Raises if the rows' old images do not hold what the predicate needs.
void check_predicate_columns(Relation relation, const Bitmapset* columns);

}  // namespace fanout::plugin
