// A source database, a target database, and the connector between them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "postgres/postgres_connector.hpp"
#include "postgres/tests/source_rows.hpp"
#include "postgres/tests/test_server.hpp"

namespace fanout::postgres_test {

class ConnectorFixture : public testing::Test {
  protected:
    void SetUp() override {
        auto& server = TestServer::get();
        source = std::make_unique<Client>(server.fresh_database("source"));
        target_dsn = server.fresh_database("target");
        target = std::make_unique<Client>(target_dsn);
        target->run("SET search_path = public; SET extra_float_digits = 3");
        connector = make_connector();
    }

    std::unique_ptr<postgres::PostgresConnector> make_connector(
        const std::string& missing_rows = "error", const std::string& role = "origin") {
        const fanout_option options[] = {{"dsn", target_dsn.c_str()},
                                         {"session_replication_role", role.c_str()},
                                         {"missing_rows", missing_rows.c_str()},
                                         {"missing_types", "error"}};
        const fanout_host host{
            this,
            [](void* fixture, int level, const char* text) {
                if (level == FANOUT_LOG_WARNING)
                    static_cast<ConnectorFixture*>(fixture)->warnings.push_back(text);
            },
            [](void*) { return 0; }};
        return std::make_unique<postgres::PostgresConnector>(connector::Options(options, 4), host);
    }

    fanout_cursor open(bool create_tables = true, std::uint64_t epoch = 1) {
        return open(*connector, create_tables, epoch);
    }
    static fanout_cursor open(postgres::PostgresConnector& on, bool create_tables = true,
                              std::uint64_t epoch = 1) {
        return on.open({"sub", "identity", epoch, create_tables ? 1 : 0});
    }

    /// Until the target has taken it in.
    void write(Feed& feed) {
        connector->write(feed.batch());
        connector->settle(FANOUT_SETTLE_WRITTEN);
    }
    /// Until it is durable.
    void flush(const fanout_cursor& cursor) {
        connector->flush(cursor);
        EXPECT_GT(connector->settle(FANOUT_SETTLE_DURABLE).flushes, 0U);
    }
    void deliver(Feed& feed, const fanout_cursor& cursor) {
        connector->write(feed.batch());
        flush(cursor);
    }

    /// Makes the same table on both sides.
    void on_both(const std::string& sql) {
        source->run(sql);
        target->run(sql);
    }

    std::vector<std::string> warnings;  // what the connectors have logged
    std::unique_ptr<Client> source, target;
    std::string target_dsn;
    std::unique_ptr<postgres::PostgresConnector> connector;
};

/// The outcome and text of a ConnectorError; FANOUT_OK if there is none.
template <typename Call>
std::pair<fanout_outcome, std::string> outcome_of(Call&& call) {
    try {
        call();
    } catch (const connector::ConnectorError& error) {
        return {error.outcome(), std::string(error.what()) + " HINT " + error.hint()};
    }
    return {FANOUT_OK, ""};
}

}  // namespace fanout::postgres_test
