// The primary key comes from the source's primary key; without one, from its replica identity
// index, whose columns are NOT NULL and unique as well.
#include "postgres/target/create_tables.hpp"

#include "_kit/sql_quote.hpp"
#include "fanout/base/fault_point.hpp"
#include "postgres/target/type_table.hpp"

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

// Names of types that are not built in have their schema in front.
bool lacks_type(Session& link, const fanout_column& column, MissingTypes policy,
                const std::string& doing) {
    const std::string type(view(column.type_name));
    if (type.find('.') == std::string::npos) return false;
    const ResultPtr found =
        link.query("SELECT pg_catalog.to_regtype($1) IS NOT NULL", {type}, doing);
    if (PQgetvalue(found.get(), 0, 0)[0] == 't') return false;
    if (policy == MissingTypes::text) return true;
    throw connector::ConnectorError(
        FANOUT_FATAL,
        doing + ": the type " + type + " of column \"" + std::string(view(column.name)) +
            "\" is not there",
        "Create it in the target first (CREATE TYPE, CREATE DOMAIN or CREATE EXTENSION), or set "
        "\"missing_types\": \"text\" in the target's options.");
}

std::set<std::string> find_missing_types(Session& link, const fanout_table& table,
                                         MissingTypes policy, const std::string& doing) {
    std::set<std::string> missing;
    for (std::size_t i = 0; i < table.column_count; ++i) {
        std::string type(view(table.columns[i].type_name));
        if (missing.contains(type)) continue;
        if (lacks_type(link, table.columns[i], policy, doing)) missing.insert(std::move(type));
    }
    return missing;
}

}  // namespace

std::string create_table_sql(const fanout_table& table, const std::set<std::string>& as_text) {
    std::string sql = "CREATE TABLE IF NOT EXISTS " +
                      kit::quote_qualified(view(table.schema), view(table.name)) + " (";
    for (std::size_t i = 0; i < table.column_count; ++i) {
        const fanout_column& column = table.columns[i];
        if (i > 0) sql += ", ";
        sql += kit::quote_identifier(view(column.name));
        sql += ' ';
        const std::string type(view(column.type_name));
        const bool text =
            mapping_of(column.type_oid).form == Creation::as_text || as_text.contains(type);
        sql += text ? "text" : type;
        if ((column.flags & FANOUT_COLUMN_NOT_NULL) != 0) sql += " NOT NULL";
    }
    std::string key = key_list(table, FANOUT_COLUMN_PRIMARY_KEY);
    if (key.empty() && table.identity == 'i') key = key_list(table, FANOUT_COLUMN_KEY);
    if (!key.empty()) sql += ", PRIMARY KEY (" + key + ")";
    return sql + ")";
}

std::string column_type(Session& link, const fanout_column& column, MissingTypes missing_types,
                        const std::string& doing) {
    const bool text = mapping_of(column.type_oid).form == Creation::as_text ||
                      lacks_type(link, column, missing_types, doing);
    return text ? "text" : std::string(view(column.type_name));
}

void create_table(Session& link, const fanout_table& table, MissingTypes missing_types) {
    const std::string name = kit::quote_qualified(view(table.schema), view(table.name));
    const std::string doing = "cannot create table " + name + " in the target";
    const ResultPtr schema = link.query("SELECT FROM pg_namespace WHERE nspname = $1",
                                        {std::string(view(table.schema))}, doing);
    std::string sql = "SELECT pg_advisory_xact_lock(7236283114);";
    if (PQntuples(schema.get()) == 0)
        sql += "CREATE SCHEMA IF NOT EXISTS " + kit::quote_identifier(view(table.schema)) + ";";
    sql += create_table_sql(table, find_missing_types(link, table, missing_types, doing));
    sql += ";INSERT INTO fanout_state.fanout_own_table VALUES (" + kit::quote_literal(name) +
           "::pg_catalog.regclass) ON CONFLICT DO NOTHING";
    // Inside a group the table comes and goes with it: its COMMIT is for the cursor to give.
    if (PQtransactionStatus(link.connection()) == PQTRANS_IDLE) sql = "BEGIN;" + sql + ";COMMIT";
    link.execute(sql, doing);
    FANOUT_FAULT_HERE("postgres.table_created");
    link.log(FANOUT_LOG_INFO, "created table " + name + " in the target");
}

}  // namespace fanout::postgres
