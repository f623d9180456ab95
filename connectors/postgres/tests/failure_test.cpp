// Fencing, crashes, lost connections, and errors a person has to act on.
#include <chrono>
#include <thread>

#include "postgres/tests/connector_fixture.hpp"

namespace fanout::postgres_test {
namespace {

using Lines = std::vector<std::string>;

class FailureTest : public ConnectorFixture {
  protected:
    void SetUp() override {
        ConnectorFixture::SetUp();
        on_both("CREATE TABLE t (id int PRIMARY KEY, v text)");
        source->run("INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 9) i");
        table = std::make_unique<SourceTable>(*source, "public", "t");
        rows = table->stored_rows(*source);
    }
    Lines ids() { return target->rows("SELECT id FROM t ORDER BY id"); }

    std::unique_ptr<SourceTable> table;
    std::vector<Row> rows;
};

TEST_F(FailureTest, TheCursorComesBackAsItWasFlushed) {
    const auto first = open();
    EXPECT_EQ(first.commit_lsn, 0U);
    Feed feed;
    feed.begin().insert(*table, rows[0]);
    const auto cursor = feed.commit();
    deliver(feed, cursor);
    connector->close();
    const auto again = open();
    EXPECT_EQ(again.commit_lsn, cursor.commit_lsn);
    EXPECT_EQ(again.end_lsn, cursor.end_lsn);
    EXPECT_EQ(again.commit_time, cursor.commit_time);
}

TEST_F(FailureTest, WhatWasNotFlushedIsGone) {
    open();
    Feed feed;
    feed.begin().insert(*table, rows[0]);
    feed.commit();
    write(feed);
    connector->close();
    EXPECT_EQ(open().commit_lsn, 0U);
    EXPECT_EQ(ids(), Lines{});
}

TEST_F(FailureTest, AnOlderEpochIsFencedAtOpenAndAtFlush) {
    open(true, 5);
    Feed feed;
    feed.begin().insert(*table, rows[0]);
    const auto cursor = feed.commit();
    write(feed);
    auto newer = make_connector();
    open(*newer, true, 6);
    EXPECT_EQ(outcome_of([&] { flush(cursor); }).first, FANOUT_FENCED);
    connector->close();
    EXPECT_EQ(ids(), Lines{});
    EXPECT_EQ(outcome_of([&] { open(true, 5); }).first, FANOUT_FENCED);
    EXPECT_EQ(outcome_of([&] { open(true, 6); }).first, FANOUT_OK);
}

TEST_F(FailureTest, AKilledBackendIsARetryAndTheCursorKnowsTheTruth) {
    std::uint64_t delivered = 0;
    const char* const kill =
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE "
        "application_name LIKE 'pg_fanout%'";
    for (int i = 0; i < 9; ++i) {
        open();
        Feed feed(0x1000 + 0x1000 * static_cast<std::uint64_t>(i));
        feed.begin().insert(*table, rows[static_cast<std::size_t>(i)]);
        const auto cursor = feed.commit();
        const auto outcome = outcome_of([&] {
            if (i % 3 == 0) target->run(kill);
            write(feed);
            if (i % 3 == 1) target->run(kill);
            std::thread killer;
            if (i % 3 == 2) killer = std::thread([&] { Client(target_dsn).run(kill); });
            const auto flushed = outcome_of([&] { flush(cursor); });
            if (killer.joinable()) killer.join();
            if (flushed.first != FANOUT_OK)
                throw connector::ConnectorError(flushed.first, flushed.second);
        });
        if (i % 3 != 2) {
            EXPECT_EQ(outcome.first, FANOUT_RETRY) << outcome.second;
        }
        connector->close();
        const auto found = open();
        connector->close();
        if (outcome.first == FANOUT_OK) {
            EXPECT_EQ(found.commit_lsn, cursor.commit_lsn);
        }
        if (found.commit_lsn == cursor.commit_lsn) ++delivered;
        EXPECT_EQ(ids().size(), delivered);
    }
}

TEST_F(FailureTest, AServerCrashLosesNothingThatWasFlushed) {
    open();
    Feed feed;
    feed.begin().insert(*table, rows[0]);
    const auto cursor = feed.commit();
    deliver(feed, cursor);
    TestServer::get().restart_immediate();
    Feed next(0x5000);
    next.begin().insert(*table, rows[1]);
    const auto second = next.commit();
    EXPECT_EQ(outcome_of([&] { deliver(next, second); }).first, FANOUT_RETRY);
    connector->close();
    target = std::make_unique<Client>(target_dsn);
    source = std::make_unique<Client>(TestServer::get().dsn("source"));
    EXPECT_EQ(open().commit_lsn, cursor.commit_lsn);
    deliver(next, second);
    EXPECT_EQ(ids(), (Lines{"1", "2"}));
}

TEST_F(FailureTest, AMissingRowIsNamedOrSkipped) {
    open();
    Feed feed;
    feed.begin().insert(*table, rows[0]).update(*table, rows[4]).insert(*table, rows[1]);
    const auto cursor = feed.commit();
    try {
        deliver(feed, cursor);
        FAIL();
    } catch (const connector::ConnectorError& error) {
        EXPECT_EQ(error.outcome(), FANOUT_REJECT);
        EXPECT_NE(std::string(error.what()).find("\"public\".\"t\" where (id) = (5)"),
                  std::string::npos)
            << error.what();
        EXPECT_EQ(error.at().commit_lsn, cursor.commit_lsn);
        EXPECT_EQ(error.at().index, 1U);
    }
    connector->close();
    connector = make_connector("skip");
    open();
    deliver(feed, cursor);
    EXPECT_EQ(ids(), (Lines{"1", "2"}));
}

TEST_F(FailureTest, AFailureInALaterWriteOfAGroupKeepsTheEarlierOnes) {
    // A unique value that moves makes the arrays fail; the group is repeated from the savepoint.
    on_both("CREATE TABLE u (id int PRIMARY KEY, v int UNIQUE)");
    source->run("INSERT INTO u VALUES (1, 10), (2, 20), (3, 30)");
    const SourceTable u(*source, "public", "u");
    const auto r = u.stored_rows(*source);
    open();
    Feed first;
    first.begin().insert(u, r[0]).insert(u, r[1]);
    first.commit();
    write(first);
    for (std::uint64_t round = 1; round < 8; ++round) {
        Feed next(0x1000 * (round + 1));
        next.begin()
            .remove(u, r[0])
            .insert(u, {r[2][0], r[0][1]})
            .remove(u, {r[2][0], r[0][1]})
            .insert(u, r[0]);
        next.commit();
        write(next);
    }
    Feed last(0x20000);
    last.begin().insert(u, r[2]);
    const auto cursor = last.commit();
    deliver(last, cursor);
    EXPECT_EQ(target->rows("SELECT * FROM u ORDER BY 1"), (Lines{"1|10", "2|20", "3|30"}));
}

TEST_F(FailureTest, ATableMadeInsideAGroupCommitsNothing) {
    source->run("CREATE TABLE late (id int PRIMARY KEY, v text)");
    const SourceTable late(*source, "public", "late");
    open();
    Feed feed;
    feed.begin().insert(*table, rows[0]);
    feed.commit();
    write(feed);
    Feed next(0x5000);
    next.begin().insert(late, rows[1]);
    const auto cursor = next.commit();
    write(next);
    EXPECT_EQ(ids(), Lines{});
    connector->close();
    EXPECT_EQ(open().commit_lsn, 0U);
    EXPECT_EQ(ids(), Lines{});
    write(feed);
    write(next);
    flush(cursor);
    EXPECT_EQ(ids(), Lines{"1"});
    EXPECT_EQ(target->rows("SELECT id FROM late"), Lines{"2"});
}

TEST_F(FailureTest, ARowThatATriggerTurnsAwayIsNamed) {
    target->run(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END "
        "$$; CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()");
    open();
    Feed feed;
    feed.begin().insert(*table, rows[0]);
    feed.commit();
    const auto found = outcome_of([&] { write(feed); });
    EXPECT_EQ(found.first, FANOUT_REJECT);
    EXPECT_NE(found.second.find("did not keep the row"), std::string::npos) << found.second;
    connector->close();
    connector = make_connector("error", "replica");
    open();
    write(feed);
}

TEST_F(FailureTest, WhatTheTargetLacksIsNamed) {
    target->run("DROP TABLE t");
    open(false);
    Feed feed;
    feed.begin().insert(*table, rows[0]);
    feed.commit();
    auto found = outcome_of([&] { write(feed); });
    EXPECT_EQ(found.first, FANOUT_FATAL);
    EXPECT_NE(found.second.find("\"public\".\"t\" is not in the target"), std::string::npos);
    EXPECT_NE(found.second.find("create_tables"), std::string::npos);

    target->run("CREATE TABLE t (id int PRIMARY KEY)");
    found = outcome_of([&] { write(feed); });
    EXPECT_EQ(found.first, FANOUT_FATAL);
    EXPECT_NE(found.second.find("has no column \"v\""), std::string::npos) << found.second;
    EXPECT_NE(found.second.find("ALTER TABLE"), std::string::npos);

    target->run("DROP TABLE t; CREATE VIEW t AS SELECT 1 AS id");
    found = outcome_of([&] { write(feed); });
    EXPECT_EQ(found.first, FANOUT_FATAL);
    EXPECT_NE(found.second.find("is not a table"), std::string::npos) << found.second;

    source->run(
        "CREATE TYPE strange AS ENUM ('x'); CREATE TABLE e (id int PRIMARY KEY, s strange)");
    const SourceTable strange(*source, "public", "e");
    connector->close();
    open();
    Feed next(0x5000);
    next.begin().insert(strange, {rows[0][0], null_cell()});
    next.commit();
    found = outcome_of([&] { write(next); });
    EXPECT_EQ(found.first, FANOUT_FATAL);
    EXPECT_NE(found.second.find("strange"), std::string::npos) << found.second;
}

TEST_F(FailureTest, UnreachableTargetsAreToldApart) {
    const auto probe = [&](const std::string& dsn) {
        target_dsn = dsn;
        auto other = make_connector();
        return outcome_of([&] { other->test(); });
    };
    const std::string good = target_dsn;
    EXPECT_EQ(probe(good).first, FANOUT_OK);
    EXPECT_EQ(probe("host=/nonexistent dbname=x").first, FANOUT_RETRY);
    EXPECT_EQ(probe(good + " dbname=missing").first, FANOUT_FATAL);
    EXPECT_EQ(probe(good + " user=nobody_here").first, FANOUT_FATAL);
    EXPECT_EQ(probe("this is no dsn").first, FANOUT_FATAL);
    EXPECT_EQ(probe("host=localhost port=1 connect_timeout=2").first, FANOUT_RETRY);
    target_dsn = good;
    target->run("CREATE ROLE plain LOGIN; REVOKE CREATE ON DATABASE target FROM PUBLIC");
    target_dsn = good + " user=plain";
    auto plain = make_connector();
    const auto found = outcome_of([&] { open(*plain); });
    EXPECT_EQ(found.first, FANOUT_FATAL) << found.second;
    EXPECT_NE(found.second.find("fanout_state"), std::string::npos);
    target_dsn = good;
    target->run("DROP ROLE plain");
}

TEST_F(FailureTest, InterruptEndsAWaitForALock) {
    open();
    target->run("BEGIN; LOCK TABLE t");
    Feed feed;
    feed.begin().insert(*table, rows[0]);
    const auto cursor = feed.commit();
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        connector->interrupt();
    });
    const auto found = outcome_of([&] { deliver(feed, cursor); });
    other.join();
    EXPECT_EQ(found.first, FANOUT_RETRY) << found.second;
    connector->close();
    // Nothing of it waits on in the server, which has been told and may take a moment.
    const auto waiting = [this] {
        return target->value("SELECT count(*) FROM pg_locks WHERE NOT granted");
    };
    for (int i = 0; i < 6000 && waiting() != "0"; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(waiting(), "0");
    target->run("COMMIT");
    open();
    deliver(feed, cursor);
    EXPECT_EQ(ids(), Lines{"1"});
}

TEST_F(FailureTest, TheSessionsOwnSettingsWin) {
    target->run(
        "ALTER DATABASE target SET DateStyle = 'German'; "
        "ALTER DATABASE target SET statement_timeout = '2s'; "
        "ALTER DATABASE target SET synchronous_commit = off; "
        "ALTER DATABASE target SET default_transaction_read_only = on; "
        "ALTER DATABASE target SET search_path = pg_temp");
    open();
    Feed feed;
    feed.begin().insert(*table, rows[0]);
    deliver(feed, feed.commit());
    EXPECT_EQ(ids(), Lines{"1"});
}

}  // namespace
}  // namespace fanout::postgres_test
