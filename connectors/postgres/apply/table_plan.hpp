// How the changes of one source table reach its table in the target: which columns go where and in
// which form, how rows are found, and how freely changes may be regrouped.
//
// Made when a table's shape is first seen, kept until it changes. Lane's thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fanout/connector/abi.h"
#include "postgres/apply/statement_parameters.hpp"
#include "postgres/link/pipeline.hpp"
#include "postgres/target/target_catalog.hpp"

namespace fanout::postgres {

enum class Regrouping : std::uint8_t {
    folded,   // changes of one key become one, tables in any order
    runs,     // neighbouring changes of one kind become one statement
    nothing,  // one statement per change, in source order
};

enum class StepKind : std::uint8_t {
    insert,
    update,      // the key stays
    update_key,  // the key changes
    remove,
    update_match,  // no key: found by the whole old row
    remove_match,
};
inline constexpr std::size_t kStepKinds = 6;

struct PlanColumn {
    std::size_t source = 0;  // index in the source's images
    std::string name;        // as the source spells it
    std::string quoted;
    std::string cast;      // "::type" behind an element, or empty
    std::string equality;  // operator that finds a key column
    ElementForm form;
    Oid array_oid = 0;
    bool key = false;
    bool writable = true;   // not generated in the target
    bool updatable = true;  // writable, and not GENERATED ALWAYS AS IDENTITY
    bool may_be_unchanged = false;
    bool always_identity = false;
    bool not_null = false;
    bool plain_equality = false;
};

/// One parameter of a statement: which image and column it is filled from.
struct ParameterSource {
    enum class From : std::uint8_t { old_image, new_image, changed_mask, row_mark };
    From from;
    std::size_t column;  // in TablePlan::columns; of no meaning for a row_mark
};

struct RowStatement {
    Statement statement;
    Statement checked;  // the same, failing unless it touched a row for each it was given
    std::vector<ParameterSource> parameters;
    bool arrays = true;
};

/// A table's statements for one number of rows: many (arrays) or one.
struct StatementSet {
    std::array<RowStatement, kStepKinds> by_kind;  // [StepKind]
    RowStatement update_masked;                    // as update, for rows with unchanged columns
};

struct TablePlan {
    std::uint32_t source_oid = 0;
    std::uint64_t version = 0;
    std::string name;       // for people: "schema"."table"
    std::string reference;  // for statements: with ONLY where that means the table itself
    std::string insert_reference;
    std::size_t source_columns = 0;
    std::vector<PlanColumn> columns;
    std::vector<std::size_t> key;  // source indexes of the key's columns; empty: none
    bool key_is_unique = false;    // the target has an index that is exactly the key
    bool match_whole_row = false;  // identity full without a primary key
    Regrouping regrouping = Regrouping::nothing;
    bool may_be_huge = false;       // it has columns without a width
    bool independent = false;       // its order against other tables does not matter
    bool extra_columns = false;     // the target has columns the source lacks
    bool deletes_may_miss = false;  // the target's own foreign keys delete rows before we do
    unsigned failed_regroupings = 0;
    StatementSet many, one;  // `one` has none for rows without a key
};

/// Throws FANOUT_FATAL naming what the target lacks.
std::shared_ptr<TablePlan> make_table_plan(const fanout_table& source, const TargetTable& target);

}  // namespace fanout::postgres
