// A throw-away PostgreSQL server for one test program: made in a temporary directory, listening on
// a Unix socket there, gone with the process. As root it runs as user postgres.
#pragma once

#include <libpq-fe.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace fanout::postgres_test {

/// A plain blocking connection of the test itself.
class Client {
  public:
    explicit Client(const std::string& dsn);
    /// Rows as text, columns joined by '|', NULL as "~". Throws on an error.
    std::vector<std::string> rows(const std::string& sql);
    std::string value(const std::string& sql);
    void run(const std::string& sql) { rows(sql); }

  private:
    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

class TestServer {
  public:
    /// The one server of this program, started when first asked for.
    static TestServer& get();
    ~TestServer();
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    /// An empty database of this name, made anew.
    std::string fresh_database(const std::string& name);
    std::string dsn(const std::string& database) const;
    /// The file it listens on.
    std::string socket() const;
    void restart_immediate();

  private:
    TestServer();
    void command(const std::string& text) const;
    void watch();
    std::string directory_, bin_, as_user_;
    FILE* watcher_ = nullptr;  // its standard input
};

}  // namespace fanout::postgres_test
