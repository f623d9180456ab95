// An SQL expression over one table's row: checked, and evaluated while decoding.
//
// What may be used is what publications allow in row filters: columns, constants, built-in
// operators, types and collations, and immutable built-in functions. So the result depends on the
// row alone, no table is read, and nothing of a user's runs with the worker's rights.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::plugin {

/// Parsed and checked; `columns` are the places in the tuple descriptor, from 0.
struct CheckedExpression {
    Node* node;
    Bitmapset* columns;
};

/// Raises an error that says why `text` cannot be the predicate of `relation`.
CheckedExpression check_predicate(Relation relation, const char* text);

/// The expression as SQL, in one spelling.
char* predicate_text(Relation relation, const CheckedExpression& checked);

struct RowPredicate {
    Bitmapset* columns;
    ExprState* state;
    ExprContext* context;
    TupleTableSlot* slot;
    /// Why the last row could not be judged. In the memory context of the caller of holds().
    const char* error;
};

/// Compiled for rows of the relation's present shape; lives in CurrentMemoryContext.
RowPredicate* compile_predicate(Relation relation, const CheckedExpression& checked);

enum class Truth : uint8 { no, yes, unknown };

/// Does the row pass? `unknown` if the evaluation failed or needs a value that the WAL does not
/// have; `predicate->error` says why. Never raises for what the row holds.
Truth holds(RowPredicate* predicate, const Datum* values, const bool* nulls);

/// An error that a row is to blame for: it will come again with the same row. The rest (memory,
/// disk, a request to end) may not.
bool is_of_the_row(int sqlstate);

}  // namespace fanout::plugin
