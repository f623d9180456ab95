// libpq without blocking: start, poll, finish.
#include "sidecar/source/source_connection.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>

namespace fanout::source {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kConnectTimeout = std::chrono::seconds(15);
constexpr const char* kSessionSetup =
    "SET synchronous_commit = off; SET search_path = pg_catalog; SET statement_timeout = 0";

std::string trimmed(const char* text) {
    std::string out = text == nullptr ? "" : text;
    while (!out.empty() && (out.back() == '\n' || out.back() == ' '))
        out.pop_back();
    return out;
}

std::string field(const PGresult* result, int code) {
    return trimmed(PQresultErrorField(result, code));
}

constexpr const char* kGone = "the connection to the source is gone";

std::vector<const char*> texts_of(const std::vector<std::optional<std::string>>& parameters) {
    std::vector<const char*> texts;
    for (const auto& parameter : parameters)
        texts.push_back(parameter ? parameter->c_str() : nullptr);
    return texts;
}

std::string advice(const std::string& message) {
    const auto has = [&](const char* part) { return message.find(part) != std::string::npos; };
    if (has("password authentication failed") || has("no password supplied"))
        return "; give the password in PGPASSWORD, a pgpass file or a service file";
    if (has("does not exist")) return "; correct --source";
    if (has("Connection refused") || has("No such file") || has("could not translate"))
        return "; is the server running there, and is --source right?";
    return "";
}

}  // namespace

void SourceConnection::Closer::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

Result<SourceConnection> SourceConnection::connect(const std::string& conninfo, int stop_fd) {
    // What stands behind dbname wins over the same keyword inside the connection string.
    const std::array keywords{"dbname", "application_name", "client_encoding",
                              static_cast<const char*>(nullptr)};
    const std::array values{conninfo.c_str(), "fanoutd", "UTF8", static_cast<const char*>(nullptr)};
    SourceConnection made(PQconnectStartParams(keywords.data(), values.data(), 1), stop_fd);
    const auto refuse = [&](const std::string& why) {
        return Status::retry("cannot connect to the source (" + redacted_conninfo(conninfo) +
                             "): " + why + advice(why));
    };
    auto* connection = made.connection_.get();
    if (connection == nullptr) return refuse("out of memory");
    if (PQstatus(connection) == CONNECTION_BAD) return refuse(made.last_message());
    const auto deadline = Clock::now() + kConnectTimeout;
    for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;) {
        if (!made.wait_for(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
            return refuse("no answer in time");
        state = PQconnectPoll(connection);
        if (state == PGRES_POLLING_FAILED) return refuse(made.last_message());
    }
    PQsetnonblocking(connection, 0);
    // Several statements: the simple protocol. It is short and answered at once.
    PQclear(PQexec(connection, kSessionSetup));
    return made;
}

bool SourceConnection::wait_for(short events, Clock::time_point deadline) const {
    std::array<pollfd, 2> fds{{{PQsocket(connection_.get()), events, 0}, {stop_, POLLIN, 0}}};
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return false;
        const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(std::min(left, 60'000L)));
        if (fds[1].revents != 0) return false;
        if (ready > 0) return true;
    }
}

std::string SourceConnection::last_message() const {
    return trimmed(PQerrorMessage(connection_.get()));
}

SqlError SourceConnection::lost(const std::string& why) const {
    const std::string message = last_message();
    return {"", message.empty() ? why : message, "", ""};
}

QueryResult SourceConnection::result_of(pg_result* result) {
    QueryResult out;
    const auto status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        out.error =
            SqlError{field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY),
                     field(result, PG_DIAG_MESSAGE_DETAIL), field(result, PG_DIAG_MESSAGE_HINT)};
        if (out.error->message.empty()) out.error->message = trimmed(PQresultErrorMessage(result));
        return out;
    }
    const int columns = PQnfields(result);
    for (int r = 0; r < PQntuples(result); ++r) {
        Row row;
        for (int c = 0; c < columns; ++c) {
            if (PQgetisnull(result, r, c) != 0) {
                row.emplace_back();
            } else {
                row.emplace_back(std::string(PQgetvalue(result, r, c),
                                             static_cast<std::size_t>(PQgetlength(result, r, c))));
            }
        }
        out.rows.push_back(std::move(row));
    }
    return out;
}

QueryResult SourceConnection::query(const std::string& sql,
                                    const std::vector<std::optional<std::string>>& parameters,
                                    std::chrono::milliseconds timeout, bool binary) {
    const auto values = texts_of(parameters);
    const auto deadline = Clock::now() + timeout;
    if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                          values.data(), nullptr, nullptr, binary ? 1 : 0) == 0)
        return {{}, lost(kGone)};
    return collect(deadline);
}

QueryResult SourceConnection::query_prepared(
    const char* name, const std::string& sql,
    const std::vector<std::optional<std::string>>& parameters, std::chrono::milliseconds timeout) {
    auto* connection = connection_.get();
    const auto deadline = Clock::now() + timeout;
    if (!prepared_.contains(name)) {
        if (PQsendPrepare(connection, name, sql.c_str(), 0, nullptr) == 0) return {{}, lost(kGone)};
        if (auto made = collect(deadline); !made.ok()) return made;
        prepared_.insert(name);
    }
    const auto values = texts_of(parameters);
    if (PQsendQueryPrepared(connection, name, static_cast<int>(values.size()), values.data(),
                            nullptr, nullptr, 0) == 0)
        return {{}, lost(kGone)};
    return collect(deadline);
}

std::optional<SqlError> SourceConnection::execute(const std::string& sql,
                                                  std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    if (PQsendQuery(connection_.get(), sql.c_str()) == 0) return lost(kGone);
    return collect(deadline).error;
}

/// The first error, or else the last result.
QueryResult SourceConnection::collect(Clock::time_point deadline) {
    auto* connection = connection_.get();
    QueryResult out;
    for (;;) {
        while (PQisBusy(connection) != 0) {
            if (!wait_for(POLLIN, deadline)) {
                out.error = SqlError{"", "the source did not answer in time", "", ""};
                return out;
            }
            if (PQconsumeInput(connection) == 0) {
                out.error = lost(kGone);
                return out;
            }
        }
        PGresult* result = PQgetResult(connection);
        if (result == nullptr) return out;
        if (out.ok()) out = result_of(result);
        PQclear(result);
    }
}

void SourceConnection::Freer::operator()(char* data) const {
    PQfreemem(data);
}

std::optional<SqlError> SourceConnection::start_copy(const std::string& sql,
                                                     std::chrono::milliseconds timeout) {
    auto* connection = connection_.get();
    const auto deadline = Clock::now() + timeout;
    if (PQsendQuery(connection, sql.c_str()) == 0) return lost(kGone);
    while (PQisBusy(connection) != 0) {
        if (!wait_for(POLLIN, deadline)) return SqlError{"", "the source did not answer", "", ""};
        if (PQconsumeInput(connection) == 0) return lost(kGone);
    }
    PGresult* result = PQgetResult(connection);
    const auto status = PQresultStatus(result);
    auto error = result_of(result).error;
    PQclear(result);
    if (status == PGRES_COPY_OUT) return std::nullopt;
    while (PGresult* rest = PQgetResult(connection))
        PQclear(rest);
    return error ? error : SqlError{"", "the source did not begin to copy", "", ""};
}

SourceConnection::CopyStep SourceConnection::next_copy_data(std::string_view& data,
                                                            std::chrono::milliseconds timeout) {
    auto* connection = connection_.get();
    for (;;) {
        char* buffer = nullptr;
        const int size = PQgetCopyData(connection, &buffer, 1);
        copy_data_.reset(buffer);
        if (size > 0) {
            data = {buffer, static_cast<std::size_t>(size)};
            return CopyStep::data;
        }
        if (size < 0) break;
        if (!wait_for(POLLIN, Clock::now() + timeout)) {
            copy_error_ = {"", "the source did not answer in time", "", ""};
            return CopyStep::failed;
        }
        if (PQconsumeInput(connection) == 0) break;
    }
    std::optional<SqlError> error;
    bool complete = false;
    while (PGresult* result = PQgetResult(connection)) {
        auto outcome = result_of(result);
        complete = complete || outcome.ok();
        if (!outcome.ok()) error = outcome.error;
        PQclear(result);
        if (PQstatus(connection) != CONNECTION_OK) break;
    }
    if (complete && !error) return CopyStep::end;
    copy_error_ = error ? *error : lost(kGone);
    return CopyStep::failed;
}

bool SourceConnection::refuses_sessions(const std::string& conninfo) {
    const char* keywords[] = {"dbname", "connect_timeout", nullptr};
    const char* values[] = {conninfo.c_str(), "5", nullptr};
    return PQpingParams(keywords, values, 1) == PQPING_REJECT;
}

bool SourceConnection::read_input() {
    return PQconsumeInput(connection_.get()) != 0 && PQstatus(connection_.get()) == CONNECTION_OK;
}

std::vector<std::string> SourceConnection::take_notifications() {
    std::vector<std::string> payloads;
    while (PGnotify* notification = PQnotifies(connection_.get())) {
        payloads.emplace_back(notification->extra);
        PQfreemem(notification);
    }
    return payloads;
}

int SourceConnection::socket() const {
    return PQsocket(connection_.get());
}

std::string SourceConnection::user() const {
    return trimmed(PQuser(connection_.get()));
}

std::string SourceConnection::database() const {
    return trimmed(PQdb(connection_.get()));
}

std::string redacted_conninfo(const std::string& conninfo) {
    char* error = nullptr;
    PQconninfoOption* options = PQconninfoParse(conninfo.c_str(), &error);
    PQfreemem(error);
    if (options == nullptr) return "not a connection string";
    std::string out;
    for (auto* option = options; option->keyword != nullptr; ++option) {
        if (option->val == nullptr) continue;
        const std::string keyword = option->keyword;
        const bool secret = keyword == "password" || keyword == "sslpassword";
        out += (out.empty() ? "" : " ") + keyword + "=" + (secret ? "********" : option->val);
    }
    PQconninfoFree(options);
    return out;
}

Status explain(const SqlError& error, const SourceConnection& connection) {
    std::string text = error.message;
    if (!error.detail.empty()) text += " (" + error.detail + ")";
    if (!error.hint.empty()) text += "; " + error.hint;
    if (error.sqlstate.empty()) return Status::retry(text);
    const std::string database = "\"" + connection.database() + "\"";
    if (error.sqlstate == "3F000" || error.sqlstate == "42883")
        return Status::fatal("extension pg_fanout is not installed in database " + database +
                             ", or is of another version: CREATE EXTENSION pg_fanout there (" +
                             text + ")");
    if (error.sqlstate == "42501")
        return Status::fatal("role \"" + connection.user() +
                             "\" may not run fanoutd: GRANT fanout_admin TO \"" +
                             connection.user() + "\" (" + text + ")");
    return Status::retry(text + " [" + error.sqlstate + "]");
}

}  // namespace fanout::source
