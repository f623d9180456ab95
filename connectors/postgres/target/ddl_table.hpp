// What each kind of schema change becomes in another PostgreSQL database.
#pragma once

#include "_kit/type_mapping.hpp"

namespace fanout::postgres {

inline constexpr kit::DdlEffect kDdlEffects[] = {
    {FANOUT_DDL_CREATE_TABLE, "CREATE TABLE, with `create_tables`"},
    {FANOUT_DDL_DROP_TABLE, "DROP TABLE, without CASCADE"},
    {FANOUT_DDL_RENAME_TABLE, "RENAME, SET SCHEMA; a missing schema is made"},
    {FANOUT_DDL_ADD_COLUMN, "ADD COLUMN; rows that are there get the source's value"},
    {FANOUT_DDL_DROP_COLUMN, "DROP COLUMN, without CASCADE"},
    {FANOUT_DDL_RENAME_COLUMN, "RENAME COLUMN"},
    {FANOUT_DDL_ALTER_TYPE, "ALTER COLUMN TYPE"},
    {FANOUT_DDL_ALTER_NULLABLE, "SET or DROP NOT NULL"},
    {FANOUT_DDL_ALTER_KEY, "DROP CONSTRAINT, ADD PRIMARY KEY"},
    {FANOUT_DDL_REWRITE, "TRUNCATE; the rows follow"},
    {FANOUT_DDL_CREATE_INDEX, "CREATE INDEX, by `create_indexes`; left out if it cannot be made"},
    {FANOUT_DDL_DROP_INDEX, "DROP INDEX, of the same name"},
    {FANOUT_DDL_COMMENT, "COMMENT ON the table or the column"},
    {FANOUT_DDL_OTHER, "an index is renamed: ALTER INDEX RENAME, of the same name"},
};

}  // namespace fanout::postgres
