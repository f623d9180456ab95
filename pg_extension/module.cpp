// The library's entry: one call per part that has something to set up.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/settings.hpp"

#pragma GCC visibility push(default)
extern "C" {
PG_MODULE_MAGIC;
void _PG_init(void);
}
#pragma GCC visibility pop

void _PG_init(void) {
    fanout::settings::define();
}
