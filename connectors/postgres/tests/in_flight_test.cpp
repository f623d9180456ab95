// Groups that were sent and not waited for: what fails among them, what is lost with them, and what
// an earlier connection may still be doing.
#include <chrono>
#include <thread>

#include "postgres/tests/connector_fixture.hpp"
#include "postgres/tests/cutting_proxy.hpp"

namespace fanout::postgres_test {
namespace {

using Lines = std::vector<std::string>;

class InFlightTest : public ConnectorFixture {
  protected:
    void SetUp() override {
        ConnectorFixture::SetUp();
        on_both("CREATE TABLE t (id int PRIMARY KEY, v text)");
        source->run("INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 9) i");
        table = std::make_unique<SourceTable>(*source, "public", "t");
        rows = table->stored_rows(*source);
    }
    Lines ids() { return target->rows("SELECT id FROM t ORDER BY id"); }

    /// A group with one new row, begun; `feed` has to live until it is done.
    fanout_cursor begin_insert(Feed& feed, std::size_t row) {
        feed.begin().insert(*table, rows[row]);
        const auto cursor = feed.commit();
        connector->write(feed.batch());
        connector->flush(cursor);
        return cursor;
    }
    auto settled(fanout_settle until) {
        return outcome_of([&] { connector->settle(until); });
    }
    /// The plan of the table is made, so that what follows needs nothing but to be sent.
    void deliver_first() {
        first_end = begin_insert(first, 0);
        EXPECT_EQ(connector->settle(FANOUT_SETTLE_DURABLE).flushes, 1U);
    }
    /// A COMMIT fails if a row of its transaction says so, as long as the sequence is young.
    void refuse_commits_until(int attempt) {
        target->run(
            "CREATE SEQUENCE attempts; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql "
            "AS $$ BEGIN IF NEW.v = 'v2' AND nextval('public.attempts') < " +
            std::to_string(attempt) +
            " THEN RAISE 'not yet' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$; "
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION refuse()");
    }

    std::unique_ptr<SourceTable> table;
    std::vector<Row> rows;
    Feed first{0x1000}, second{0x2000}, third{0x3000};
    fanout_cursor first_end{};
};

TEST_F(InFlightTest, ProgressSaysWhatIsDoneWithAndWhatIsDurable) {
    open();
    deliver_first();
    target->run("BEGIN; LOCK TABLE t");
    begin_insert(second, 1);
    const auto last = begin_insert(third, 2);
    auto progress = connector->settle(FANOUT_SETTLE_NOTHING);
    EXPECT_EQ(progress.writes, 1U);
    EXPECT_EQ(progress.flushes, 1U);
    target->run("COMMIT");
    EXPECT_GE(connector->settle(FANOUT_SETTLE_ONE).writes, 2U);
    EXPECT_EQ(connector->settle(FANOUT_SETTLE_WRITTEN).writes, 3U);
    EXPECT_EQ(ids(), (Lines{"1", "2", "3"}));
    progress = connector->settle(FANOUT_SETTLE_DURABLE);
    EXPECT_EQ(progress.flushes, 3U);
    TestServer::get().restart_immediate();
    connector->close();
    target = std::make_unique<Client>(target_dsn);
    source = std::make_unique<Client>(TestServer::get().dsn("source"));
    EXPECT_EQ(open().commit_lsn, last.commit_lsn);
    EXPECT_EQ(ids(), (Lines{"1", "2", "3"}));
}

TEST_F(InFlightTest, NothingGetsInBehindAGroupThatFails) {
    open();
    deliver_first();
    second.begin().update(*table, rows[6]);  // the target has no such row
    const auto cursor = second.commit();
    connector->write(second.batch());
    connector->flush(cursor);
    begin_insert(third, 2);
    const auto failed = settled(FANOUT_SETTLE_WRITTEN);
    EXPECT_EQ(failed.first, FANOUT_REJECT);
    EXPECT_NE(failed.second.find("where (id) = (7)"), std::string::npos) << failed.second;
    EXPECT_EQ(connector->progress().flushes, 1U);
    connector->close();
    EXPECT_EQ(open().commit_lsn, first_end.commit_lsn);
    EXPECT_EQ(ids(), Lines{"1"});
}

TEST_F(InFlightTest, NothingGetsInBehindACommitThatFails) {
    open();
    deliver_first();
    refuse_commits_until(1000);
    begin_insert(second, 1);
    begin_insert(third, 2);
    EXPECT_NE(settled(FANOUT_SETTLE_WRITTEN).first, FANOUT_OK);
    EXPECT_EQ(ids(), Lines{"1"});
    connector->close();
    EXPECT_EQ(open().commit_lsn, first_end.commit_lsn);
    EXPECT_EQ(ids(), Lines{"1"});
}

// Copied rows and the notes of them leave the cursor where it was: it cannot tell that the group
// before is missing.
TEST_F(InFlightTest, NothingGetsInBehindAGroupOfTheSamePosition) {
    open();
    connector->put_note("16384", "begun");
    deliver_first();                         // notes, too, need nothing but to be sent
    second.begin().update(*table, rows[6]);  // the target has no such row
    third.begin().insert(*table, rows[2]);
    target->run("BEGIN; LOCK TABLE t");  // until both are sent
    const auto failed = outcome_of([&] {
        for (Feed* feed : {&second, &third}) {
            feed->commit();
            connector->write(feed->batch());
            connector->put_note("16384", "all of it");
            connector->flush(first_end);
        }
        target->run("COMMIT");
        connector->settle(FANOUT_SETTLE_WRITTEN);
    });
    EXPECT_EQ(failed.first, FANOUT_REJECT);
    EXPECT_EQ(ids(), Lines{"1"});
    connector->close();
    open();
    EXPECT_EQ(connector->read_notes(), (connector::Notes{{"16384", "begun"}}));
}

// Each of its flushes is counted when it is durable, whatever the cursor says.
TEST_F(InFlightTest, FlushesOfTheSamePositionAreCountedOneByOne) {
    open();
    deliver_first();
    target->run("BEGIN; LOCK TABLE t");
    for (Feed* feed : {&second, &third}) {
        feed->begin().insert(*table, rows[feed == &second ? 1 : 2]);
        feed->commit();
        connector->write(feed->batch());
        connector->flush(first_end);
    }
    EXPECT_EQ(connector->settle(FANOUT_SETTLE_NOTHING).flushes, 1U);
    target->run("COMMIT");
    EXPECT_EQ(connector->settle(FANOUT_SETTLE_DURABLE).flushes, 3U);
    EXPECT_EQ(ids(), (Lines{"1", "2", "3"}));
}

// What is committed before a change that is refused is durable when that is told.
TEST_F(InFlightTest, ProgressIsKnownBehindARefusal) {
    open();
    deliver_first();
    target->run("BEGIN; LOCK TABLE t");
    begin_insert(second, 1);
    third.begin().update(*table, rows[6]);  // the target has no such row
    const auto cursor = third.commit();
    connector->write(third.batch());
    connector->flush(cursor);
    target->run("COMMIT");
    EXPECT_EQ(settled(FANOUT_SETTLE_WRITTEN).first, FANOUT_REJECT);
    EXPECT_EQ(connector->progress().flushes, 2U);
    connector->close();
    EXPECT_EQ(ids(), (Lines{"1", "2"}));
}

// More than the sockets hold: when the group before it fails, some of its rows are at the server
// and the rest is not, nor its cursor.
TEST_F(InFlightTest, APartOfAGroupThatWasSentIsNotCommitted) {
    source->run("INSERT INTO t SELECT i, repeat('x', 500000) FROM generate_series(101, 160) i");
    rows = table->stored_rows(*source);
    open();
    deliver_first();
    target->run("BEGIN; LOCK TABLE t");
    second.begin().update(*table, rows[6]);  // the target has no such row
    auto cursor = second.commit();
    connector->write(second.batch());
    connector->flush(cursor);
    third.begin();
    for (std::size_t i = 9; i < rows.size(); ++i)
        third.insert(*table, rows[i]);
    cursor = third.commit();
    connector->write(third.batch());
    connector->flush(cursor);
    target->run("COMMIT");
    EXPECT_EQ(settled(FANOUT_SETTLE_WRITTEN).first, FANOUT_REJECT);
    connector->close();
    EXPECT_EQ(ids(), Lines{"1"});
    EXPECT_EQ(open().commit_lsn, first_end.commit_lsn);
}

TEST_F(InFlightTest, WhatFailsOnceIsRepeatedWithWhatIsBehindIt) {
    open();
    deliver_first();
    refuse_commits_until(2);
    begin_insert(second, 1);
    begin_insert(third, 2);
    const auto progress = connector->settle(FANOUT_SETTLE_DURABLE);
    EXPECT_EQ(progress.writes, 3U);
    EXPECT_EQ(progress.flushes, 3U);
    EXPECT_EQ(ids(), (Lines{"1", "2", "3"}));
    Feed next(0x5000);
    begin_insert(next, 3);
    connector->settle(FANOUT_SETTLE_WRITTEN);
    EXPECT_EQ(ids(), (Lines{"1", "2", "3", "4"}));
}

TEST_F(InFlightTest, AConnectionLostWithTwoGroupsInFlightIsARetry) {
    open();
    deliver_first();
    target->run("BEGIN; LOCK TABLE t");
    const auto middle = begin_insert(second, 1);
    const auto last = begin_insert(third, 2);
    target->run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name "
        "LIKE 'pg_fanout%'");
    target->run("COMMIT");
    EXPECT_EQ(settled(FANOUT_SETTLE_WRITTEN).first, FANOUT_RETRY);
    connector->close();
    EXPECT_EQ(open().commit_lsn, first_end.commit_lsn);
    EXPECT_EQ(ids(), Lines{"1"});
    connector->write(second.batch());
    connector->flush(middle);
    connector->write(third.batch());
    connector->flush(last);
    connector->settle(FANOUT_SETTLE_WRITTEN);
    EXPECT_EQ(ids(), (Lines{"1", "2", "3"}));
}

TEST_F(InFlightTest, TheFenceIsLostWhileGroupsAreInFlight) {
    open(true, 5);
    deliver_first();
    target->run("BEGIN; LOCK TABLE t");
    begin_insert(second, 1);
    begin_insert(third, 2);
    auto newer = make_connector();
    EXPECT_EQ(open(*newer, true, 6).commit_lsn, first_end.commit_lsn);
    target->run("COMMIT");
    EXPECT_EQ(settled(FANOUT_SETTLE_WRITTEN).first, FANOUT_FENCED);
    connector->close();
    EXPECT_EQ(ids(), Lines{"1"});
}

// The connection was cut, its backend does not know yet and works on what it was sent.
TEST_F(InFlightTest, AnEarlierConnectionOfTheSameEpochChangesNothingAnyMore) {
    open(true, 5);
    deliver_first();
    target->run("BEGIN; LOCK TABLE t");
    const auto cursor = begin_insert(second, 1);
    auto again = make_connector();
    EXPECT_EQ(open(*again, true, 5).commit_lsn, first_end.commit_lsn);
    target->run("COMMIT");
    EXPECT_NE(settled(FANOUT_SETTLE_WRITTEN).first, FANOUT_OK);
    EXPECT_EQ(ids(), Lines{"1"});
    again->write(second.batch());
    again->flush(cursor);
    again->settle(FANOUT_SETTLE_WRITTEN);
    EXPECT_EQ(ids(), (Lines{"1", "2"}));
}

TEST_F(InFlightTest, InterruptEndsTheWaitForGroupsInFlight) {
    open();
    deliver_first();
    target->run("BEGIN; LOCK TABLE t");
    begin_insert(second, 1);
    begin_insert(third, 2);
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        connector->interrupt();
    });
    EXPECT_EQ(settled(FANOUT_SETTLE_WRITTEN).first, FANOUT_RETRY);
    other.join();
    connector->close();
    target->run("COMMIT");
    EXPECT_EQ(open().commit_lsn, first_end.commit_lsn);
    EXPECT_EQ(ids(), Lines{"1"});
}

// The answer to a COMMIT never comes: only the cursor knows.
TEST_F(InFlightTest, AConnectionCutBehindCommitIsDecidedByTheCursor) {
    const std::string direct = target_dsn;
    std::size_t there = 0;
    for (unsigned run = 0; run < 20; ++run) {
        target->run("TRUNCATE t; DROP SCHEMA IF EXISTS fanout_state CASCADE");
        // In the cursor's statement, which the commit is right behind.
        CuttingProxy proxy(TestServer::get().socket(), "clock_timestamp",
                           std::chrono::microseconds(run * 200));
        target_dsn = direct + " host=" + proxy.directory();
        connector = make_connector();
        open();
        proxy.arm();
        Feed one(0x1000), two(0x2000);
        one.begin().insert(*table, rows[0]);
        two.begin().insert(*table, rows[1]);
        const fanout_cursor ends[] = {one.commit(), two.commit()};
        const auto lost = outcome_of([&] {
            connector->write(one.batch());
            connector->flush(ends[0]);
            connector->write(two.batch());
            connector->flush(ends[1]);
            connector->settle(FANOUT_SETTLE_DURABLE);
        });
        EXPECT_EQ(lost.first, FANOUT_RETRY) << lost.second;
        connector->close();
        target_dsn = direct;
        connector = make_connector();
        const auto found = open();
        const std::size_t groups = found.commit_lsn == 0                    ? 0
                                   : found.commit_lsn == ends[0].commit_lsn ? 1
                                                                            : 2;
        EXPECT_EQ(ids().size(), groups);
        there += groups;
        if (groups < 1) deliver(one, ends[0]);
        if (groups < 2) deliver(two, ends[1]);
        EXPECT_EQ(ids(), (Lines{"1", "2"}));
    }
    RecordProperty("groups_without_an_answer", static_cast<int>(there));
}

}  // namespace
}  // namespace fanout::postgres_test
