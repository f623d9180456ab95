// Makes a table in the target that a source's rows fit into: columns, NOT NULL, primary key.
//
// No defaults, checks, indexes or foreign keys: the source has enforced them already. Lane's
// thread; in the open transaction, or one of its own.
#pragma once

#include "fanout/connector/abi.h"
#include "postgres/link/session.hpp"

namespace fanout::postgres {

/// Schema and table, unless they are there. Throws FANOUT_FATAL naming a type the target lacks.
void create_table(Session& link, const fanout_table& table);

/// The statement create_table uses.
std::string create_table_sql(const fanout_table& table);

}  // namespace fanout::postgres
