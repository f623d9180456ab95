// See session.hpp.
#include "fanoutctl/session.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <cstring>

namespace fanout::ctl {
namespace {

constexpr int kPatienceMilliseconds = 30'000;

std::string trimmed(const char* text) {
    std::string trimmed(text == nullptr ? "" : text);
    while (!trimmed.empty() && (trimmed.back() == '\n' || trimmed.back() == ' '))
        trimmed.pop_back();
    return trimmed;
}

Status cannot_connect(const std::string& why) {
    return Status::retry("cannot connect: " + why +
                         "\nSay how with --source \"host=... dbname=... user=...\" (or "
                         "FANOUT_SOURCE, or libpq's PGHOST, PGDATABASE, ...).");
}

}  // namespace

bool plain_wait(int descriptor, short events) {
    pollfd one{descriptor, events, 0};
    return ::poll(&one, 1, kPatienceMilliseconds) > 0;
}

void Session::Closer::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

Result<Session> Session::open(const std::string& conninfo, const Wait& wait) {
    // What stands before the connection string is a default, what stands behind it is not.
    const std::array<const char*, 5> names{"fallback_application_name", "options", "dbname",
                                           "client_encoding", nullptr};
    const std::array<const char*, 5> values{"fanoutctl", "-c search_path=pg_catalog,pg_temp",
                                            conninfo.c_str(), "UTF8", nullptr};
    Session session(PQconnectStartParams(names.data(), values.data(), 1));
    PGconn* connection = session.connection_.get();
    if (connection == nullptr) return Status::fatal("out of memory");
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(connection) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
        const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (!wait(PQsocket(connection), events)) return cannot_connect("no answer");
        next = PQconnectPoll(connection);
        if (next == PGRES_POLLING_FAILED) break;
    }
    if (PQstatus(connection) != CONNECTION_OK)
        return cannot_connect(trimmed(PQerrorMessage(connection)));
    return session;
}

Status Session::failure(const char* sqlstate, const std::string& message) const {
    const std::string state = sqlstate == nullptr ? "" : sqlstate;
    const std::string database = PQdb(connection_.get()), user = PQuser(connection_.get());
    if (PQstatus(connection_.get()) != CONNECTION_OK || state.empty() || state == "57P01")
        return Status::retry("connection lost: " + message);
    if (state == "3F000" || state == "42P01" || state == "42883")
        return Status::fatal("database \"" + database +
                             "\" has no pg_fanout of this version\n"
                             "CREATE EXTENSION pg_fanout; there, or name another database with "
                             "--source. The server says: " +
                             message);
    if (state == "42501")
        return Status::fatal("role \"" + user +
                             "\" may not look at pg_fanout\n"
                             "GRANT fanout_monitor TO \"" +
                             user + "\"; The server says: " + message);
    return Status::fatal(message);
}

Result<std::string> Session::ask(const char* statement, const Wait& wait) {
    PGconn* connection = connection_.get();
    if (PQsendQuery(connection, statement) == 0)
        return failure(nullptr, trimmed(PQerrorMessage(connection)));
    while (PQisBusy(connection) != 0) {
        if (!wait(PQsocket(connection), POLLIN)) return Status::retry("no answer from the server");
        if (PQconsumeInput(connection) == 0)
            return failure(nullptr, trimmed(PQerrorMessage(connection)));
    }
    std::string value;
    Status status;
    while (PGresult* result = PQgetResult(connection)) {
        if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
            value = PQgetvalue(result, 0, 0);
        } else if (status.is_ok()) {
            status = failure(PQresultErrorField(result, PG_DIAG_SQLSTATE),
                             trimmed(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
        }
        PQclear(result);
    }
    if (!status.is_ok()) return status;
    return value;
}

}  // namespace fanout::ctl
