// Table of SQLSTATEs, most specific first.
#include "postgres/link/sql_error.hpp"

#include <algorithm>
#include <cctype>

namespace fanout::postgres {
namespace {

struct Rule {
    std::string_view prefix;  // of the SQLSTATE
    fanout_outcome outcome;
    const char* hint;
};

constexpr Rule kRules[] = {
    {"08", FANOUT_RETRY, ""},
    {"25006", FANOUT_RETRY, "The target is read-only, perhaps a standby: name its primary."},
    {"28P01", FANOUT_FATAL, "Correct the password that the target's dsn refers to."},
    {"28", FANOUT_FATAL, "Check user, pg_hba.conf and TLS of the target against its dsn."},
    {"3D000", FANOUT_FATAL, "Create the database, or correct dbname in the target's dsn."},
    {"3F000", FANOUT_FATAL,
     "Create the schema in the target, or set \"create_tables\": true in the subscription."},
    {"40", FANOUT_RETRY, ""},
    {"42P01", FANOUT_FATAL,
     "Create the table in the target, or set \"create_tables\": true in the subscription."},
    {"42703", FANOUT_FATAL, "Add the column to the target's table."},
    {"42704", FANOUT_FATAL,
     "Create it in the target first: a type, domain or extension, or the role that a value names."},
    {"42501", FANOUT_FATAL,
     "Grant the target's role INSERT, UPDATE, DELETE, TRUNCATE and SELECT on the tables, and "
     "CREATE on the database for the schema fanout_state."},
    {"53", FANOUT_RETRY, ""},
    {"54", FANOUT_REJECT, ""},
    {"55000", FANOUT_FATAL, ""},
    {"55006", FANOUT_RETRY, ""},
    {"55P03", FANOUT_RETRY, ""},
    {"57014", FANOUT_RETRY, ""},
    {"57P", FANOUT_RETRY, ""},
    {"58", FANOUT_RETRY, ""},
    {"22", FANOUT_REJECT, "The target's column cannot hold the source's value: compare the types."},
    {"23502", FANOUT_REJECT, "The target's column is NOT NULL, the source's is not."},
    {"23514", FANOUT_REJECT, "The target has a CHECK constraint that the source has not."},
    {"23503", FANOUT_FATAL,
     "A foreign key of the target is not fulfilled: subscribe to the referenced table as well, or "
     "set \"session_replication_role\": \"replica\" in the target's options."},
    {"23505", FANOUT_FATAL,
     "The row is already there: something else writes to the table, or it was not empty when the "
     "subscription began."},
};

const Rule* find_rule(std::string_view sqlstate) {
    for (const Rule& rule : kRules)
        if (sqlstate.starts_with(rule.prefix)) return &rule;
    return nullptr;
}

std::string field(const PGresult* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? std::string() : std::string(text);
}

std::string one_line(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
        text.pop_back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

bool is_sqlstate(std::string_view text) {
    return text.size() == 5 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
               return std::isdigit(c) != 0 || std::isupper(c) != 0;
           });
}

}  // namespace

fanout_outcome SqlError::outcome() const {
    if (sqlstate.empty()) return FANOUT_RETRY;
    const Rule* rule = find_rule(sqlstate);
    return rule == nullptr ? FANOUT_FATAL : rule->outcome;
}

std::string SqlError::advice() const {
    const Rule* rule = find_rule(sqlstate);
    if (rule == nullptr || *rule->hint == '\0') return hint;
    return rule->hint;
}

SqlError read_error(const PGresult* result) {
    SqlError error;
    error.sqlstate = field(result, PG_DIAG_SQLSTATE);
    error.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (const auto detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty())
        error.message += ": " + detail;
    if (error.message.empty()) error.message = one_line(PQresultErrorMessage(result));
    if (error.message.empty()) error.message = "the connection was lost";
    error.hint = field(result, PG_DIAG_MESSAGE_HINT);
    return error;
}

SqlError read_connection_error(const PGconn* connection) {
    SqlError error;
    std::string text = PQerrorMessage(connection);
    if (const auto location = text.find("\nLOCATION:"); location != std::string::npos)
        text.resize(location);
    // A refusal by the server reads "…FATAL:  28P01: password authentication failed…".
    for (std::size_t at = text.find(":  "); at != std::string::npos;
         at = text.find(":  ", at + 1)) {
        if (at + 9 >= text.size() || text[at + 8] != ':') continue;
        const auto code = text.substr(at + 3, 5);
        if (!is_sqlstate(code)) continue;
        error.sqlstate = code;
        text.erase(at + 3, 7);
        break;
    }
    if (error.sqlstate.empty() && text.find("no password supplied") != std::string::npos)
        error.sqlstate = "28P01";
    error.message = one_line(text);
    if (error.message.empty()) error.message = "the connection was lost";
    return error;
}

void throw_error(const SqlError& error, const std::string& doing, Position at) {
    std::string text = doing + ": " + error.message;
    if (!error.sqlstate.empty()) text += " (SQLSTATE " + error.sqlstate + ")";
    throw connector::ConnectorError(error.outcome(), text, error.advice(), at);
}

}  // namespace fanout::postgres
