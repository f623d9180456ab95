// One function for each kind that means something to a PostgreSQL target.
#include "postgres/target/schema_change.hpp"

#include "_kit/sql_quote.hpp"
#include "postgres/target/create_indexes.hpp"
#include "postgres/target/ddl_table.hpp"

namespace fanout::postgres {
namespace {

using connector::ConnectorError;
using connector::view;
using kit::quote_identifier;

constexpr const char* kDoing = "cannot change the target's schema";
constexpr std::size_t kShownStatementMax = 400;

/// As it is called when the change has been made, which is how the changes behind a renaming in
/// the same statement name it.
std::string table_name(const fanout_ddl& ddl) {
    return kit::quote_qualified(view(ddl.schema), view(ddl.name));
}

const fanout_column* find_column(const fanout_ddl& ddl, fanout_text name) {
    if (ddl.table == nullptr) return nullptr;
    for (std::size_t i = 0; i < ddl.table->column_count; ++i)
        if (view(ddl.table->columns[i].name) == view(name)) return &ddl.table->columns[i];
    return nullptr;
}

std::string literal(std::string_view text) {
    std::string out = " E'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') out += c;
        out += c;
    }
    return out + "'";
}

}  // namespace

void SchemaChanger::reset(bool create_tables, MissingTypes missing_types) {
    create_tables_ = create_tables;
    missing_types_ = missing_types;
    emptied_.clear();
}

void SchemaChanger::apply(const fanout_ddl& ddl, Position at) {
    try {
        dispatch(ddl);
    } catch (const ConnectorError& e) {
        if (e.outcome() == FANOUT_RETRY) throw;
        std::string statement(view(ddl.statement).substr(0, kShownStatementMax));
        throw ConnectorError(FANOUT_REJECT,
                             std::string(e.what()) + "; at the source it was: " + statement,
                             e.hint().empty() ? "Change the target by hand." : e.hint(), at);
    }
}

void SchemaChanger::set_sequence(const fanout_sequence& sequence) {
    constexpr const char* kSetting = "cannot set a sequence of the target";
    const ResultPtr found = session_.query(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN "
        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = "
        "$2 AND c.relkind = 'S'",
        {std::string(view(sequence.schema)), std::string(view(sequence.name))}, kSetting);
    if (PQntuples(found.get()) == 0) return;
    const std::string name = PQgetvalue(found.get(), 0, 0);
    // Which of the two gives a value first that the other gives later: the next ones tell.
    session_.query(
        "SELECT pg_catalog.setval($1::pg_catalog.regclass, $2::pg_catalog.int8, "
        "$4::pg_catalog.bool) FROM (SELECT last_value::pg_catalog.numeric + CASE WHEN is_called "
        "THEN $3::pg_catalog.numeric ELSE 0 END AS next FROM " +
            name +
            ") AS here CROSS JOIN (SELECT $2::pg_catalog.numeric + CASE WHEN $4::pg_catalog.bool "
            "THEN $3::pg_catalog.numeric ELSE 0 END AS next) AS there WHERE CASE WHEN "
            "$3::pg_catalog.numeric > 0 THEN here.next < there.next ELSE here.next > there.next "
            "END",
        {name, std::to_string(sequence.last_value), std::to_string(sequence.increment),
         std::string(sequence.is_called != 0 ? "true" : "false")},
        kSetting);
}

void SchemaChanger::dispatch(const fanout_ddl& ddl) {
    if (!kit::has_effect(kDdlEffects, ddl.kind)) return;
    switch (ddl.kind) {
        case FANOUT_DDL_CREATE_TABLE:
            return create(ddl);
        case FANOUT_DDL_DROP_TABLE:
            if (has_table(ddl.schema, ddl.name)) run("DROP TABLE " + table_name(ddl));
            return;
        case FANOUT_DDL_RENAME_TABLE:
            return rename_table(ddl);
        case FANOUT_DDL_ADD_COLUMN:
            return add_column(ddl);
        case FANOUT_DDL_DROP_COLUMN:
            return run("ALTER TABLE IF EXISTS " + table_name(ddl) + " DROP COLUMN IF EXISTS " +
                       quote_identifier(view(ddl.column)));
        case FANOUT_DDL_RENAME_COLUMN:
            return rename_column(ddl);
        case FANOUT_DDL_ALTER_TYPE:
            return alter_type(ddl);
        case FANOUT_DDL_ALTER_NULLABLE:
            return alter_nullable(ddl);
        case FANOUT_DDL_ALTER_KEY:
            return alter_key(ddl);
        case FANOUT_DDL_REWRITE:
            return rewrite(ddl);
        case FANOUT_DDL_CREATE_INDEX:
            return create_index(ddl);
        case FANOUT_DDL_DROP_INDEX:
            return drop_index(ddl);
        case FANOUT_DDL_OTHER:
            return rename_index(ddl);
        case FANOUT_DDL_COMMENT:
            return comment(ddl);
        default:
            return;
    }
}

bool SchemaChanger::has_table(fanout_text schema, fanout_text name) {
    const ResultPtr found = session_.query(
        "SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')",
        {std::string(view(schema)), std::string(view(name))}, kDoing);
    return PQntuples(found.get()) != 0;
}

bool SchemaChanger::has_column(const fanout_ddl& ddl, fanout_text column) {
    const ResultPtr found = session_.query(
        "SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND "
        "c.relname = $2 AND a.attname = $3 AND a.attnum > 0 AND NOT a.attisdropped",
        {std::string(view(ddl.schema)), std::string(view(ddl.name)), std::string(view(column))},
        kDoing);
    return PQntuples(found.get()) != 0;
}

void SchemaChanger::run(const std::string& sql) {
    session_.execute(sql, kDoing);
    session_.log(FANOUT_LOG_INFO, "changed the target's schema: " + sql);
}

void SchemaChanger::create(const fanout_ddl& ddl) {
    if (ddl.table == nullptr || !create_tables_ || has_table(ddl.table->schema, ddl.table->name))
        return;
    create_table(session_, *ddl.table, missing_types_);
}

void SchemaChanger::rename_table(const fanout_ddl& ddl) {
    if (!has_table(ddl.schema, ddl.name)) return;
    if (view(ddl.schema) != view(ddl.new_schema)) {
        const std::string schema = quote_identifier(view(ddl.new_schema));
        const ResultPtr there =
            session_.query("SELECT pg_catalog.to_regnamespace($1) IS NOT NULL", {schema}, kDoing);
        if (PQgetvalue(there.get(), 0, 0)[0] != 't') run("CREATE SCHEMA " + schema);
        run("ALTER TABLE " + table_name(ddl) + " SET SCHEMA " + schema);
    }
    if (view(ddl.name) != view(ddl.new_name))
        run("ALTER TABLE " + kit::quote_qualified(view(ddl.new_schema), view(ddl.name)) +
            " RENAME TO " + quote_identifier(view(ddl.new_name)));
}

void SchemaChanger::add_column(const fanout_ddl& ddl) {
    const fanout_column* column = find_column(ddl, ddl.new_column);
    if (column == nullptr || !has_table(ddl.schema, ddl.name) || has_column(ddl, ddl.new_column))
        return;
    const std::string name = quote_identifier(view(ddl.new_column));
    const std::string type = column_type(session_, *column, missing_types_, kDoing);
    const bool has_value = ddl.missing.data != nullptr;
    std::string sql = "ALTER TABLE " + table_name(ddl) + " ADD COLUMN " + name + " " + type;
    if (has_value) sql += " DEFAULT" + literal(view(ddl.missing)) + "::" + type;
    if ((column->flags & FANOUT_COLUMN_NOT_NULL) != 0) sql += " NOT NULL";
    run(sql);
    // The rows that are there keep the value; those to come bring theirs.
    if (has_value)
        run("ALTER TABLE " + table_name(ddl) + " ALTER COLUMN " + name + " DROP DEFAULT");
}

void SchemaChanger::rename_column(const fanout_ddl& ddl) {
    if (!has_column(ddl, ddl.column) || has_column(ddl, ddl.new_column)) return;
    run("ALTER TABLE " + table_name(ddl) + " RENAME COLUMN " + quote_identifier(view(ddl.column)) +
        " TO " + quote_identifier(view(ddl.new_column)));
}

// Without a rewrite the old values are good in the new type as they are; with one they come anew,
// made by whatever USING said.
void SchemaChanger::alter_type(const fanout_ddl& ddl) {
    const fanout_column* column = find_column(ddl, ddl.new_column);
    if (column == nullptr || !has_column(ddl, ddl.new_column)) return;
    const std::string type = column_type(session_, *column, missing_types_, kDoing);
    std::string sql = "ALTER TABLE " + table_name(ddl) + " ALTER COLUMN " +
                      quote_identifier(view(ddl.new_column)) + " TYPE " + type;
    if (emptied_.contains(ddl.oid)) sql += " USING NULL::" + type;
    run(sql);
}

void SchemaChanger::alter_nullable(const fanout_ddl& ddl) {
    const fanout_column* column = find_column(ddl, ddl.new_column);
    if (column == nullptr || !has_column(ddl, ddl.new_column)) return;
    const bool not_null = (column->flags & FANOUT_COLUMN_NOT_NULL) != 0;
    const ResultPtr in_key = session_.query(
        "SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = "
        "i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = $1::pg_catalog.regclass AND "
        "i.indisprimary AND a.attname = $2",
        {table_name(ddl), std::string(view(ddl.new_column))}, kDoing);
    if (PQntuples(in_key.get()) != 0) return;
    run("ALTER TABLE " + table_name(ddl) + " ALTER COLUMN " +
        quote_identifier(view(ddl.new_column)) + (not_null ? " SET" : " DROP") + " NOT NULL");
}

void SchemaChanger::alter_key(const fanout_ddl& ddl) {
    if (ddl.table == nullptr || !has_table(ddl.schema, ddl.name)) return;
    const ResultPtr old = session_.query(
        "SELECT pg_catalog.quote_ident(conname) FROM pg_catalog.pg_constraint WHERE conrelid = "
        "$1::pg_catalog.regclass AND contype = 'p'",
        {table_name(ddl)}, kDoing);
    if (PQntuples(old.get()) != 0)
        run("ALTER TABLE " + table_name(ddl) + " DROP CONSTRAINT " + PQgetvalue(old.get(), 0, 0));
    std::string columns;
    for (std::size_t i = 0; i < ddl.table->column_count; ++i) {
        const fanout_column& column = ddl.table->columns[i];
        if ((column.flags & FANOUT_COLUMN_PRIMARY_KEY) == 0) continue;
        columns += (columns.empty() ? "" : ", ") + quote_identifier(view(column.name));
    }
    if (!columns.empty())
        run("ALTER TABLE " + table_name(ddl) + " ADD PRIMARY KEY (" + columns + ")");
}

void SchemaChanger::rewrite(const fanout_ddl& ddl) {
    emptied_.insert(ddl.oid);
    const ResultPtr found = session_.query(
        "SELECT c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')",
        {std::string(view(ddl.schema)), std::string(view(ddl.name))}, kDoing);
    if (PQntuples(found.get()) == 0) return;
    // Children by inheritance are tables of their own; partitions are where the rows are.
    const bool is_partitioned = PQgetvalue(found.get(), 0, 0)[0] == 'p';
    run(std::string("TRUNCATE ") + (is_partitioned ? "" : "ONLY ") + table_name(ddl));
}

/// The name that `before` tells, with its schema; empty if the table has no such index.
std::string SchemaChanger::find_index(const fanout_ddl& ddl, bool in_constraints) {
    if (ddl.before.size == 0) return "";
    const ResultPtr found = session_.query(
        "SELECT pg_catalog.format('%I.%I', n.nspname, i.relname) FROM pg_catalog.pg_class t "
        "JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace JOIN pg_catalog.pg_index x "
        "ON x.indrelid = t.oid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid "
        "WHERE n.nspname = $1 AND t.relname = $2 AND i.relname = $3::pg_catalog.jsonb ->> 'index' "
        "AND ($4::pg_catalog.bool OR NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE "
        "k.conindid = i.oid))",
        {std::string(view(ddl.schema)), std::string(view(ddl.name)), std::string(view(ddl.before)),
         std::string(in_constraints ? "true" : "false")},
        kDoing);
    return PQntuples(found.get()) == 0 ? "" : PQgetvalue(found.get(), 0, 0);
}

/// What no row depends on: it holds up nobody if it cannot be made.
template <typename Change>
void SchemaChanger::make_or_leave(Change change) {
    session_.execute("SAVEPOINT fanout_in_passing", kDoing);
    try {
        change();
    } catch (const ConnectorError& e) {
        if (e.outcome() == FANOUT_RETRY) throw;
        session_.execute("ROLLBACK TO SAVEPOINT fanout_in_passing", kDoing);
        session_.log(FANOUT_LOG_WARNING, std::string(e.what()) + "; it is left out");
    }
    session_.execute("RELEASE SAVEPOINT fanout_in_passing", kDoing);
}

void SchemaChanger::create_index(const fanout_ddl& ddl) {
    if (ddl.after.size == 0 || ddl.table == nullptr) return;
    create(ddl);  // no row of it has come yet
    if (!has_table(ddl.schema, ddl.name)) return;
    const ResultPtr told = session_.query(
        "SELECT j ->> 'index', j ->> 'using', (j -> 'unique')::pg_catalog.bool IS TRUE, (j -> "
        "'own_tables_only')::pg_catalog.bool IS TRUE FROM (SELECT $1::pg_catalog.jsonb) AS t (j)",
        {std::string(view(ddl.after))}, kDoing);
    const auto text = [&](int field) {
        return fanout_text{PQgetvalue(told.get(), 0, field),
                           static_cast<std::size_t>(PQgetlength(told.get(), 0, field))};
    };
    const fanout_index index{text(0), static_cast<std::uint8_t>(view(text(2)) == "t"), text(1)};
    make_or_leave(
        [&] { postgres::create_index(session_, *ddl.table, index, view(text(3)) == "t"); });
}

// A unique index that the source no longer has would refuse rows that the source now takes.
void SchemaChanger::drop_index(const fanout_ddl& ddl) {
    const std::string index = find_index(ddl, false);
    if (!index.empty()) run("DROP INDEX " + index);
}

/// Of what else changes, targets take over the names of indexes.
void SchemaChanger::rename_index(const fanout_ddl& ddl) {
    const std::string index = find_index(ddl, true);
    if (index.empty()) return;
    const ResultPtr name =
        session_.query("SELECT pg_catalog.quote_ident($1::pg_catalog.jsonb ->> 'index')",
                       {std::string(view(ddl.after))}, kDoing);
    make_or_leave(
        [&] { run("ALTER INDEX " + index + " RENAME TO " + PQgetvalue(name.get(), 0, 0)); });
}

void SchemaChanger::comment(const fanout_ddl& ddl) {
    const bool of_column = ddl.new_column.size != 0;
    if (ddl.after.size == 0 || !has_table(ddl.schema, ddl.name)) return;
    if (of_column && !has_column(ddl, ddl.new_column)) return;
    const ResultPtr text =
        session_.query("SELECT pg_catalog.quote_nullable($1::pg_catalog.jsonb ->> 'comment')",
                       {std::string(view(ddl.after))}, kDoing);
    const std::string what =
        of_column ? "COLUMN " + table_name(ddl) + "." + quote_identifier(view(ddl.new_column))
                  : "TABLE " + table_name(ddl);
    make_or_leave([&] { run("COMMENT ON " + what + " IS " + PQgetvalue(text.get(), 0, 0)); });
}

}  // namespace fanout::postgres
