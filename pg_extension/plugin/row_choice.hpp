// What one row change is for one projection: pgoutput's rule, by the predicate on the old and the
// new row. In to out is a delete, out to in an insert.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/relation_cache.hpp"

namespace fanout::plugin {

/// A change's rows, deformed into the entry's images.
struct RowChange {
    bool is_insert;
    const RowImage* before;  // nullptr: the WAL has none
    const RowImage* after;   // nullptr: a delete
    const RowImage* full;    // `after` with unchanged values taken from `before`, where it has them
};

struct RowChoice {
    enum class Kind : uint8 { none, insert, update, remove, unjudged };
    Kind kind;
    const RowImage* before;
    const RowImage* after;
};

RowChange deform_change(RelationEntry* entry, Relation relation, const ReorderBufferChange* change);

/// The same change as one of the table above.
RowChange as_above(const Above* above, const RowChange& row);

RowChoice choose_row(const Projection* projection, const RowChange& row);

/// The row's key as "(id)=(5)", for a person; of a row without one, its place is all there is.
const char* describe_key(const Projection* projection, const RowChoice& choice);

}  // namespace fanout::plugin
