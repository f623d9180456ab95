// One catalog query; pg_get_indexdef() has the last word on what an index is.
#include "sidecar/source/table_indexes.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fanout::source {
namespace {

using nlohmann::json;

// Constraints that are checked late allow for a moment what an index would refuse: theirs is made
// without UNIQUE. Columns in expressions and predicates are only in pg_depend.
constexpr const char* kIndexes = R"(
SELECT c.relname, (i.indisunique AND i.indimmediate)::text,
    CASE WHEN starts_with(d.text, d.head) THEN substr(d.text, length(d.head) + 1) END,
    format('CREATE %sINDEX %I ON %I.%I USING ',
        CASE WHEN i.indisunique AND i.indimmediate THEN 'UNIQUE ' END, c.relname, n.nspname, t.relname),
    i.indisexclusion::text,
    (SELECT coalesce(json_agg(a.attname), '[]') FROM pg_attribute a
        WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey)),
    (SELECT coalesce(json_agg(DISTINCT a.attname), '[]') FROM pg_depend x
        JOIN pg_attribute a ON a.attrelid = x.refobjid AND a.attnum = x.refobjsubid
        WHERE x.classid = 'pg_class'::regclass AND x.objid = i.indexrelid
            AND x.refclassid = 'pg_class'::regclass AND x.refobjid = t.oid
            AND a.attnum > 0 AND a.attnum <> ALL (i.indkey))
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_index i ON i.indrelid = t.oid
JOIN pg_class c ON c.oid = i.indexrelid
CROSS JOIN LATERAL (SELECT pg_get_indexdef(i.indexrelid) AS text,
    format('CREATE %sINDEX %I ON %s%I.%I USING ', CASE WHEN i.indisunique THEN 'UNIQUE ' END, c.relname,
        CASE WHEN c.relkind = 'I' THEN 'ONLY ' END, n.nspname, t.relname) AS head) d
WHERE t.oid = $1::oid AND i.indisvalid AND i.indisready AND i.indislive AND NOT i.indisprimary
    AND NOT (t.relreplident = 'i' AND i.indisreplident AND NOT EXISTS (
        SELECT FROM pg_index p WHERE p.indrelid = t.oid AND p.indisprimary AND p.indisvalid))
ORDER BY i.indexrelid)";

enum Field : std::size_t {
    kName,
    kUnique,
    kDefinition,
    kHead,
    kExclusion,
    kColumns,
    kHiddenColumns,
};

std::string text(const Row& row, Field field) {
    return row[field] ? *row[field] : std::string();
}

/// Why no target gets it; empty: it does.
std::string obstacle(const Row& row, const std::vector<std::string>& columns,
                     const std::map<std::string, std::string>& masks) {
    if (text(row, kExclusion) == "true") return "exclusion constraint";
    if (!row[kDefinition]) return "its definition has an unknown form";
    const auto plain = json::parse(text(row, kColumns)).get<std::vector<std::string>>();
    const auto hidden = json::parse(text(row, kHiddenColumns)).get<std::vector<std::string>>();
    for (const auto* list : {&plain, &hidden}) {
        for (const auto& column : *list) {
            if (!columns.empty() && std::ranges::find(columns, column) == columns.end())
                return "column " + column + " is not carried";
            // Masked values may be equal where others are not, and no expression expects them.
            if (masks.contains(column) && (list == &hidden || text(row, kUnique) == "true"))
                return "column " + column + " is masked";
        }
    }
    return "";
}

}  // namespace

Result<TableIndexes> read_indexes(SourceConnection& session, Oid32 table,
                                  const std::vector<std::string>& columns,
                                  const std::map<std::string, std::string>& masks) {
    const auto result = session.query_prepared("table_indexes", kIndexes, {std::to_string(table)});
    if (!result.ok()) return Status::retry(result.error->message);
    TableIndexes found;
    for (const Row& row : result.rows) {
        const std::string why = obstacle(row, columns, masks);
        if (!why.empty()) {
            found.left_out += (found.left_out.empty() ? "not carried: " : ", ") + text(row, kName) +
                              " (" + why + ")";
            continue;
        }
        found.indexes.push_back({text(row, kName), text(row, kUnique) == "true",
                                 text(row, kDefinition),
                                 text(row, kHead) + text(row, kDefinition)});
    }
    return found;
}

}  // namespace fanout::source
