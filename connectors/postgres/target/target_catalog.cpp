// Four short catalog queries per table: the table, its columns, its unique indexes, what fires.
#include "postgres/target/target_catalog.hpp"

#include <algorithm>
#include <cstdlib>

#include "_kit/sql_quote.hpp"

namespace fanout::postgres {
namespace {

constexpr const char* kTable = R"(
SELECT c.oid, c.relkind
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2)";

// Types whose equal values may have different bytes cannot be compared by them: numeric (1.0 and
// 1.00), floats (-0), padded char, intervals (1 day and 24 hours), text under a nondeterministic
// collation, everything that is not built in.
constexpr const char* kColumns = R"(
WITH RECURSIVE base AS (
    SELECT a.attnum, t.oid AS type, t.typbasetype, t.typtype
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
    SELECT b.attnum, t.oid, t.typbasetype, t.typtype
    FROM base b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd')
SELECT a.attname, format_type(a.atttypid, -1), format_type(t.oid, -1), t.oid, t.typarray,
       a.attgenerated <> '', a.attidentity = 'a', a.attnotnull,
       a.attlen = -1 AND a.attstorage <> 'p',
       t.oid IN (16,17,18,19,20,21,23,25,26,1043,1082,1083,1114,1184,2950,3220,829,774)
           AND coalesce(k.collisdeterministic, true)
FROM pg_attribute a
JOIN base b ON b.attnum = a.attnum AND b.typtype <> 'd'
JOIN pg_type t ON t.oid = b.type
LEFT JOIN pg_collation k ON k.oid = a.attcollation
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum)";

// One row per column of each index. The operator is the one the index itself finds rows by.
constexpr const char* kUniqueIndexes = R"(
SELECT i.indexrelid, a.attname,
       i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
           AND i.indexprs IS NULL,
       CASE WHEN o.oid IS NULL THEN '='
            ELSE format('OPERATOR(%I.%s)', s.nspname, o.oprname) END
FROM pg_index i
CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) AS part(n)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[part.n]
                        AND i.indkey[part.n] <> 0
LEFT JOIN pg_opclass c ON c.oid = i.indclass[part.n]
LEFT JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
LEFT JOIN pg_amop p ON m.oid IS NOT NULL AND p.amopfamily = c.opcfamily AND p.amopstrategy = 3
                   AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype
LEFT JOIN pg_operator o ON o.oid = p.amopopr
LEFT JOIN pg_namespace s ON s.oid = o.oprnamespace
WHERE i.indrelid = $1::oid AND i.indislive AND (i.indisunique OR i.indisexclusion)
ORDER BY i.indisprimary DESC, i.indexrelid, part.n)";

// Triggers of partitions and children fire too. Foreign keys live as internal triggers: they are
// asked for by constraint, and run unless the session is a replica.
constexpr const char* kWhatFires = R"(
WITH RECURSIVE family AS (
    SELECT $1::oid AS oid
  UNION
    SELECT i.inhrelid FROM pg_inherits i JOIN family f ON f.oid = i.inhparent),
session AS (SELECT current_setting('session_replication_role') = 'replica' AS replica)
SELECT EXISTS (SELECT FROM pg_trigger t, session s
               WHERE t.tgrelid IN (SELECT oid FROM family) AND NOT t.tgisinternal
                 AND t.tgenabled IN ('A', CASE WHEN s.replica THEN 'R' ELSE 'O' END))
    OR EXISTS (SELECT FROM pg_rewrite w, session s
               WHERE w.ev_class IN (SELECT oid FROM family) AND w.ev_type <> '1'
                 AND w.ev_enabled IN ('A', CASE WHEN s.replica THEN 'R' ELSE 'O' END)),
       EXISTS (SELECT FROM pg_constraint c, session s
               WHERE c.contype = 'f' AND NOT s.replica
                 AND (c.conrelid IN (SELECT oid FROM family)
                      OR c.confrelid IN (SELECT oid FROM family))),
       EXISTS (SELECT FROM pg_constraint c, session s
               WHERE c.contype = 'f' AND NOT s.replica AND c.conrelid IN (SELECT oid FROM family)
                 AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))))";

constexpr const char* kDoing = "cannot read the target's catalog";

std::string text(const ResultPtr& rows, int row, int column) {
    return PQgetvalue(rows.get(), row, column);
}

bool truth(const ResultPtr& rows, int row, int column) {
    return PQgetvalue(rows.get(), row, column)[0] == 't';
}

Oid oid(const ResultPtr& rows, int row, int column) {
    return static_cast<Oid>(std::strtoul(PQgetvalue(rows.get(), row, column), nullptr, 10));
}

void read_columns(Session& link, const std::string& table_oid, TargetTable& table) {
    const ResultPtr rows = link.query(kColumns, {table_oid}, kDoing);
    for (int i = 0; i < PQntuples(rows.get()); ++i) {
        TargetColumn column;
        column.name = text(rows, i, 0);
        column.type_name = text(rows, i, 1);
        column.base_type = text(rows, i, 2);
        column.base_oid = oid(rows, i, 3);
        column.array_oid = oid(rows, i, 4);
        column.generated = truth(rows, i, 5);
        column.always_identity = truth(rows, i, 6);
        column.not_null = truth(rows, i, 7);
        column.toastable = truth(rows, i, 8);
        column.plain_equality = truth(rows, i, 9);
        table.columns.push_back(std::move(column));
    }
}

void read_indexes(Session& link, const std::string& table_oid, TargetTable& table) {
    const ResultPtr rows = link.query(kUniqueIndexes, {table_oid}, kDoing);
    std::string current;
    for (int i = 0; i < PQntuples(rows.get()); ++i) {
        if (table.unique_indexes.empty() || text(rows, i, 0) != current) {
            current = text(rows, i, 0);
            table.unique_indexes.emplace_back();
            table.unique_indexes.back().usable_as_key = truth(rows, i, 2);
        }
        table.unique_indexes.back().columns.push_back(text(rows, i, 1));
        table.unique_indexes.back().equality.push_back(text(rows, i, 3));
    }
}

}  // namespace

const TargetColumn* TargetTable::find(std::string_view name) const {
    const auto found = std::find_if(columns.begin(), columns.end(),
                                    [&](const auto& column) { return column.name == name; });
    return found == columns.end() ? nullptr : &*found;
}

std::optional<TargetTable> read_target_table(Session& link, const std::string& schema,
                                             const std::string& name) {
    const ResultPtr found = link.query(kTable, {schema, name}, kDoing);
    if (PQntuples(found.get()) == 0) return std::nullopt;
    TargetTable table;
    const std::string table_oid = text(found, 0, 0);
    table.oid = oid(found, 0, 0);
    table.relkind = PQgetvalue(found.get(), 0, 1)[0];
    if (table.relkind != 'r' && table.relkind != 'p')
        throw connector::ConnectorError(
            FANOUT_FATAL, kit::quote_qualified(schema, name) + " of the target is not a table",
            "Rename what has the table's name in the target, or leave the table out.");
    read_columns(link, table_oid, table);
    read_indexes(link, table_oid, table);
    const ResultPtr fires = link.query(kWhatFires, {table_oid}, kDoing);
    table.fires_triggers = truth(fires, 0, 0);
    table.enforces_foreign_keys = truth(fires, 0, 1);
    table.has_cascading_reference = truth(fires, 0, 2);
    return table;
}

}  // namespace fanout::postgres
