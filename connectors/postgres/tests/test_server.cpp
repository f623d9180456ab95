#include "postgres/tests/test_server.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace fanout::postgres_test {
namespace {

std::string output_of(const std::string& command) {
    FILE* pipe = ::popen(command.c_str(), "re");
    if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
    std::string out;
    std::array<char, 512> part{};
    while (std::fgets(part.data(), part.size(), pipe) != nullptr)
        out += part.data();
    ::pclose(pipe);
    while (!out.empty() && out.back() == '\n')
        out.pop_back();
    return out;
}

}  // namespace

Client::Client(const std::string& dsn) : connection_(PQconnectdb(dsn.c_str()), &PQfinish) {
    if (PQstatus(connection_.get()) != CONNECTION_OK)
        throw std::runtime_error(PQerrorMessage(connection_.get()));
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
}

std::vector<std::string> Client::rows(const std::string& sql) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(
        PQexec(connection_.get(), sql.c_str()), &PQclear);
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        throw std::runtime_error(sql + ": " + PQerrorMessage(connection_.get()));
    std::vector<std::string> out;
    for (int i = 0; i < PQntuples(result.get()); ++i) {
        std::string row;
        for (int j = 0; j < PQnfields(result.get()); ++j) {
            if (j > 0) row += '|';
            row += PQgetisnull(result.get(), i, j) != 0 ? "~" : PQgetvalue(result.get(), i, j);
        }
        out.push_back(std::move(row));
    }
    return out;
}

std::string Client::value(const std::string& sql) {
    const auto found = rows(sql);
    return found.empty() ? std::string() : found.front();
}

TestServer& TestServer::get() {
    static TestServer server;
    return server;
}

TestServer::TestServer() {
    const char* given = std::getenv("FANOUT_TEST_PG_BIN");
    bin_ = given != nullptr ? given : output_of("pg_config --bindir");
    std::string pattern = "/tmp/fanout-pgtest-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    directory_ = pattern;
    if (::geteuid() == 0) {
        as_user_ = "runuser -u postgres -- ";
        if (std::system(("chown postgres " + directory_).c_str()) != 0)
            throw std::runtime_error("chown");
    }
    watch();
    command("initdb -D " + directory_ + "/data -A trust -U postgres -E UTF8 --locale=C.UTF-8 -N");
    command("pg_ctl -D " + directory_ + "/data -w -l " + directory_ + "/log -o \"-c fsync=off " +
            "-c listen_addresses='' -c unix_socket_directories=" + directory_ +
            " -c log_min_messages=warning\" start");
}

/// Ends the server when this process is gone, killed by whomever: its end of the pipe is closed. A
/// session of its own, so that it is not killed along.
void TestServer::watch() {
    const std::string ending =
        bin_ + "/pg_ctl -D " + directory_ + "/data -m immediate stop; rm -rf " + directory_;
    watcher_ = ::popen(("cd /tmp && exec " + as_user_ + "setsid --fork sh -c 'cat; " + ending +
                        "' >/dev/null 2>&1")
                           .c_str(),
                       "we");
    if (watcher_ == nullptr) throw std::runtime_error("cannot watch over the test server");
}

TestServer::~TestServer() {
    command("pg_ctl -D " + directory_ + "/data -m immediate stop || true");
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
    ::pclose(watcher_);  // not before: nothing is left for it to do
}

void TestServer::command(const std::string& text) const {
    const std::string line =
        "cd /tmp && " + as_user_ + bin_ + "/" + text + " >" + directory_ + "/command.log 2>&1";
    if (std::system(line.c_str()) != 0)
        throw std::runtime_error("failed: " + line + "\n" +
                                 output_of("cat " + directory_ + "/command.log"));
}

std::string TestServer::dsn(const std::string& database) const {
    return "host=" + directory_ + " user=postgres dbname=" + database;
}

std::string TestServer::socket() const {
    const char* port = std::getenv("PGPORT");
    return directory_ + "/.s.PGSQL." + (port != nullptr ? port : "5432");
}

std::string TestServer::fresh_database(const std::string& name) {
    Client admin(dsn("postgres"));
    admin.run("DROP DATABASE IF EXISTS \"" + name + "\" WITH (FORCE)");
    admin.run("CREATE DATABASE \"" + name + "\"");
    return dsn(name);
}

void TestServer::restart_immediate() {
    command("pg_ctl -D " + directory_ + "/data -m immediate -w restart");
}

}  // namespace fanout::postgres_test
