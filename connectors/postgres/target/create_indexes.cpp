// The definition comes from pg_get_indexdef() of the source; names are the target's table's.
#include "postgres/target/create_indexes.hpp"

#include <algorithm>
#include <array>

#include "_kit/sql_quote.hpp"
#include "fanout/base/fault_point.hpp"

namespace fanout::postgres {
namespace {

using connector::ConnectorError;
using connector::view;

// The index comes without CONCURRENTLY: it is there whole or not at all.
constexpr const char* kLook = R"(
SELECT EXISTS (SELECT FROM fanout_state.fanout_own_table o WHERE o.table_oid = c.oid),
    x.indexrelid IS NOT NULL, coalesce(x.indisvalid, false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN (pg_index x JOIN pg_class i ON i.oid = x.indexrelid)
    ON x.indrelid = c.oid AND i.relname = $3
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p'))";

/// What goes away by itself. A full disk or a cancelled statement would come again with the next
/// attempt, and no row depends on an index.
bool is_passing(const SqlError& error) {
    constexpr std::array<std::string_view, 4> kPassing{"08", "40", "55P03", "57P"};
    return std::ranges::any_of(
        kPassing, [&](std::string_view prefix) { return error.sqlstate.starts_with(prefix); });
}

bool truth(const ResultPtr& rows, int column) {
    return PQgetvalue(rows.get(), 0, column)[0] == 't';
}

}  // namespace

void create_index(Session& link, const fanout_table& table, const fanout_index& index,
                  bool own_tables_only) {
    const std::string reference = kit::quote_qualified(view(table.schema), view(table.name));
    const std::string name = kit::quote_identifier(view(index.name));
    const std::string doing = "cannot create index " + name + " of " + reference + " in the target";
    const ResultPtr found =
        link.query(kLook,
                   {std::string(view(table.schema)), std::string(view(table.name)),
                    std::string(view(index.name))},
                   doing);
    if (PQntuples(found.get()) == 0)
        throw ConnectorError(FANOUT_REJECT, doing + ": the table is not there");
    if (own_tables_only && !truth(found, 0)) return;
    if (truth(found, 1)) {
        if (truth(found, 2)) return;
        throw ConnectorError(FANOUT_REJECT, doing + ": it is there, but invalid",
                             "REINDEX it, or drop it and create it anew.");
    }
    const auto error = link.attempt(std::string("CREATE ") + (index.unique != 0 ? "UNIQUE " : "") +
                                        "INDEX " + name + " ON " + reference + " USING " +
                                        std::string(view(index.definition)),
                                    doing);
    if (error && is_passing(*error)) throw_error(*error, doing);
    if (error)
        throw ConnectorError(FANOUT_REJECT,
                             doing + ": " + error->message + " (SQLSTATE " + error->sqlstate + ")",
                             error->hint);
    FANOUT_FAULT_HERE("postgres.index_created");
    link.log(FANOUT_LOG_INFO, "created index " + name + " of " + reference + " in the target");
}

}  // namespace fanout::postgres
