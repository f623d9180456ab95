// Makes a secondary index of the source in the target, once its table's rows are there.
//
// Outside of transactions: a statement of its own, which may take long. Lane's thread.
#pragma once

#include "fanout/connector/abi.h"
#include "postgres/link/session.hpp"

namespace fanout::postgres {

/// Unless the table has an index of that name. `own_tables_only`: nothing happens to a table that
/// create_table() has not made. Throws FANOUT_REJECT if it cannot be made.
void create_index(Session& link, const fanout_table& table, const fanout_index& index,
                  bool own_tables_only);

}  // namespace fanout::postgres
