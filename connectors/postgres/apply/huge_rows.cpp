// See huge_rows.hpp.
#include "postgres/apply/huge_rows.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "_kit/network_order.hpp"

namespace fanout::postgres {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kSliceBytes = 128 * 1024;
constexpr std::string_view kHeader = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"sv;
constexpr std::uint32_t kNullLength = 0xFFFFFFFF;
constexpr std::uint16_t kEnd = 0xFFFF;

std::string list_of(std::size_t count, const char* what) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i)
        list += (i == 0 ? "" : ", ") + (what + std::to_string(i + 1));
    return list;
}

}  // namespace

std::string with_parameters_from(const std::string& sql, const std::string& table) {
    std::string out;
    char quote = 0;
    for (std::size_t at = 0; at < sql.size(); ++at) {
        const char c = sql[at];
        if (quote != 0) {
            if (c == quote) quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '$' && at + 1 < sql.size() && std::isdigit(sql[at + 1]) != 0) {
            out += "(SELECT p";
            while (at + 1 < sql.size() && std::isdigit(sql[at + 1]) != 0)
                out += sql[++at];
            out += " FROM " + table + ")";
            continue;
        }
        out += c;
    }
    return out;
}

HugeRows::Sent HugeRows::run(const Statement& statement, const StatementParameters& parameters) {
    const std::string table = prepare_table(statement.types);
    const std::string copy_sql =
        "COPY " + table + " (" + list_of(parameters.size(), "p") + ") FROM STDIN (FORMAT binary)";
    if (auto copied = copy(copy_sql, parameters); copied.error) return copied;
    const Sent sent = execute(with_parameters_from(statement.sql, table));
    if (sent.error) return sent;
    if (auto emptied = execute("TRUNCATE " + table); emptied.error) return emptied;
    return sent;
}

/// One per list of types and connection; empty between rows. A transaction that was undone has
/// undone it, too.
std::string HugeRows::prepare_table(const std::vector<Oid>& types) {
    Table& table = tables_[types];
    if (table.name.empty()) {
        std::string list;
        for (const Oid type : types)
            list += (list.empty() ? "" : ",") + std::to_string(type);
        const ResultPtr columns = session_.query(
            "SELECT string_agg(format('p%s %s', n, format_type(t::oid, NULL)), ', ' ORDER BY n) "
            "FROM unnest($1::bigint[]) WITH ORDINALITY AS u (t, n)",
            {"{" + list + "}"}, "cannot name the types of a large row");
        table.columns = PQgetvalue(columns.get(), 0, 0);
        table.name = "fanout_huge_" + std::to_string(tables_.size());
    }
    const ResultPtr there =
        session_.query("SELECT to_regclass($1) IS NOT NULL", {"pg_temp." + table.name},
                       "cannot look for the table of large rows");
    if (PQgetvalue(there.get(), 0, 0)[0] != 't')
        session_.execute("CREATE TEMPORARY TABLE " + table.name + " (" + table.columns + ")",
                         "cannot make a temporary table for large rows, which needs the right "
                         "TEMPORARY on the target's database");
    return "pg_temp." + table.name;
}

HugeRows::Sent HugeRows::execute(const std::string& sql) {
    if (PQsendQuery(session_.connection(), sql.c_str()) == 0)
        session_.throw_lost("sending to the target");
    session_.flush();
    Sent sent;
    while (const ResultPtr result = session_.next_result()) {
        const auto status = PQresultStatus(result.get());
        if (status == PGRES_COPY_IN) return sent;
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
            sent.rows = std::strtoll(PQcmdTuples(result.get()), nullptr, 10);
        else if (!sent.error)
            sent.error = read_error(result.get());
    }
    if (PQstatus(session_.connection()) == CONNECTION_BAD) session_.throw_lost("target");
    return sent;
}

HugeRows::Sent HugeRows::copy(const std::string& sql, const StatementParameters& parameters) {
    if (auto begun = execute(sql); begun.error) return begun;
    std::string head(kHeader);
    kit::append_network(head, static_cast<std::uint16_t>(parameters.size()));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const std::string_view value = parameters.value(i);
        kit::append_network(
            head, parameters.is_null(i) ? kNullLength : static_cast<std::uint32_t>(value.size()));
        put(head);
        head.clear();
        if (!parameters.is_null(i)) put(value);
    }
    kit::append_network(head, kEnd);
    put(head);
    if (PQputCopyEnd(session_.connection(), nullptr) < 0)
        session_.throw_lost("copying to the target");
    session_.flush();
    Sent sent;
    while (const ResultPtr result = session_.next_result())
        if (PQresultStatus(result.get()) != PGRES_COMMAND_OK && !sent.error)
            sent.error = read_error(result.get());
    if (PQstatus(session_.connection()) == CONNECTION_BAD) session_.throw_lost("target");
    return sent;
}

/// libpq is given little at a time: it holds what the socket does not take.
void HugeRows::put(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t size = std::min(bytes.size(), kSliceBytes);
        const int taken =
            PQputCopyData(session_.connection(), bytes.data(), static_cast<int>(size));
        if (taken < 0) session_.throw_lost("copying to the target");
        session_.flush();
        if (taken > 0) bytes.remove_prefix(size);
    }
}

}  // namespace fanout::postgres
