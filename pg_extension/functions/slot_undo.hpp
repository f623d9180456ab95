// A slot is made outside of transactions. This drops it when the transaction that made it is rolled
// back, so that none stays behind that holds WAL and that nobody knows of.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::functions {

/// The slot goes if the running transaction or subtransaction does.
void drop_on_rollback(const char* slot);

/// It was dropped already; the name may be somebody else's by the time of the rollback.
void forget_slot(const char* slot);

}  // namespace fanout::functions
