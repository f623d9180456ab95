// Makes a table in the target that a source's rows fit into: columns, NOT NULL, primary key.
//
// No defaults, checks, indexes or foreign keys: the source has enforced them already. Lane's
// thread; in the open transaction, or one of its own.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "fanout/connector/abi.h"
#include "postgres/link/session.hpp"

namespace fanout::postgres {

/// What becomes of a column whose type is not built in and not in the target.
enum class MissingTypes : std::uint8_t {
    error,  // FANOUT_FATAL, naming the type
    text,   // a column of type text
};

/// Schema and table, unless they are there.
void create_table(Session& link, const fanout_table& table, MissingTypes missing_types);

/// What a column is created as.
std::string column_type(Session& link, const fanout_column& column, MissingTypes missing_types,
                        const std::string& doing);

/// The statement create_table uses; columns of the types in `as_text` become text.
std::string create_table_sql(const fanout_table& table, const std::set<std::string>& as_text = {});

}  // namespace fanout::postgres
