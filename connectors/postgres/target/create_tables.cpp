// The primary key comes from the source's primary key; without one, from its replica identity
// index, whose columns are NOT NULL and unique as well.
#include "postgres/target/create_tables.hpp"

#include "_kit/sql_quote.hpp"
#include "fanout/base/fault_point.hpp"

namespace fanout::postgres {
namespace {

using connector::view;

std::string key_list(const fanout_table& table, std::uint8_t flag) {
    std::string list;
    for (std::size_t i = 0; i < table.column_count; ++i) {
        if ((table.columns[i].flags & flag) == 0) continue;
        if (!list.empty()) list += ", ";
        list += kit::quote_identifier(view(table.columns[i].name));
    }
    return list;
}

}  // namespace

std::string create_table_sql(const fanout_table& table) {
    std::string sql = "CREATE TABLE IF NOT EXISTS " +
                      kit::quote_qualified(view(table.schema), view(table.name)) + " (";
    for (std::size_t i = 0; i < table.column_count; ++i) {
        const fanout_column& column = table.columns[i];
        if (i > 0) sql += ", ";
        sql += kit::quote_identifier(view(column.name));
        sql += ' ';
        sql += view(column.type_name);
        if ((column.flags & FANOUT_COLUMN_NOT_NULL) != 0) sql += " NOT NULL";
    }
    std::string key = key_list(table, FANOUT_COLUMN_PRIMARY_KEY);
    if (key.empty() && table.identity == 'i') key = key_list(table, FANOUT_COLUMN_KEY);
    if (!key.empty()) sql += ", PRIMARY KEY (" + key + ")";
    return sql + ")";
}

void create_table(Session& link, const fanout_table& table) {
    const std::string name = kit::quote_qualified(view(table.schema), view(table.name));
    const std::string doing = "cannot create table " + name + " in the target";
    const ResultPtr schema = link.query("SELECT FROM pg_namespace WHERE nspname = $1",
                                        {std::string(view(table.schema))}, doing);
    std::string sql = "SELECT pg_advisory_xact_lock(7236283114);";
    if (PQntuples(schema.get()) == 0)
        sql += "CREATE SCHEMA IF NOT EXISTS " + kit::quote_identifier(view(table.schema)) + ";";
    sql += create_table_sql(table);
    // Inside a group the table comes and goes with it: its COMMIT is for the cursor to give.
    if (PQtransactionStatus(link.connection()) == PQTRANS_IDLE) sql = "BEGIN;" + sql + ";COMMIT";
    link.execute(sql, doing);
    FANOUT_FAULT_HERE("postgres.table_created");
    link.log(FANOUT_LOG_INFO, "created table " + name + " in the target");
}

}  // namespace fanout::postgres
