// What each kind of schema change becomes in a SQLite file.
#pragma once

#include "_kit/type_mapping.hpp"

namespace fanout::sqlite_target {

inline constexpr kit::DdlEffect kDdlEffects[] = {
    {FANOUT_DDL_CREATE_TABLE, "CREATE TABLE, with `create_tables`"},
    {FANOUT_DDL_DROP_TABLE, "DROP TABLE"},
    {FANOUT_DDL_RENAME_TABLE, "RENAME"},
    {FANOUT_DDL_ADD_COLUMN, "ADD COLUMN; rows that are there get the source's value"},
    {FANOUT_DDL_DROP_COLUMN, "the table is made anew without it"},
    {FANOUT_DDL_RENAME_COLUMN, "RENAME COLUMN"},
    {FANOUT_DDL_ALTER_TYPE, "the table is made anew, if the declared type differs"},
    {FANOUT_DDL_ALTER_KEY, "the table is made anew"},
    {FANOUT_DDL_REWRITE, "emptied; the rows follow"},
};

}  // namespace fanout::sqlite_target
