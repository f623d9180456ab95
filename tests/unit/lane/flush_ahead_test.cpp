// A lane whose connector is ahead: batches live until they are done with, positions count when they
// are durable, and what was in flight when it failed comes again.
#include "tests/unit/lane/lane_fixture.hpp"

namespace fanout::testing {
namespace {

class FlushAheadTest : public LaneFixture {
  protected:
    FlushAheadTest() {
        connector_ = scripted_connector(FANOUT_CAP_TARGET_CURSOR | FANOUT_CAP_FLUSH_AHEAD);
    }
    std::vector<Lsn> append_many(int transactions, int rows) {
        std::vector<Lsn> lsns;
        for (int i = 1; i <= transactions; ++i) {
            lsns.push_back(0x1000 * static_cast<Lsn>(i));
            append_transaction(lsns.back(), rows, i == 1);
        }
        return lsns;
    }
};

TEST_F(FlushAheadTest, BatchesAreReadWhileEarlierOnesAreInFlight) {
    settings_.limits.batch_rows_max = 10;
    script_.hold_flushes = true;
    const auto lsns = append_many(60, 3);
    start_lane();
    ASSERT_TRUE(delivers(60));
    EXPECT_EQ(commits(), lsns);
    EXPECT_EQ(script_.ahead_max, 2);
    EXPECT_EQ(board().rows_delivered, 180u);
    EXPECT_EQ(board().rows_read, 180u);
    EXPECT_EQ(board().transactions, 60u);
    EXPECT_EQ(board().cursor.commit_lsn, lsns.back());
}

TEST_F(FlushAheadTest, ATransactionInPartsKeepsItsOrder) {
    settings_.limits.batch_rows_max = 4;
    append_transaction(0x1000, 3, true);
    append_transaction(0x2000, 50);
    append_transaction(0x3000, 3);
    start_lane();
    ASSERT_TRUE(delivers(3));
    EXPECT_EQ(commits(), (std::vector<Lsn>{0x1000, 0x2000, 0x3000}));
    EXPECT_EQ(script_.durable()[1].changes.size(), 50u);
    EXPECT_GT(script_.durable()[1].parts, 3);
    EXPECT_EQ(board().rows_delivered, 56u);
}

TEST_F(FlushAheadTest, WhatWasInFlightWhenItFailedComesAgainOnce) {
    settings_.limits.batch_rows_max = 10;
    script_.hold_flushes = true;
    // Before anything happened, and after the first of two in flight was durable.
    script_.fail("settle", {FANOUT_RETRY, false}, 2);
    script_.fail("settle", {FANOUT_RETRY, true}, 3);
    const auto lsns = append_many(60, 3);
    start_lane();
    ASSERT_TRUE(delivers(60));
    EXPECT_EQ(commits(), lsns);
    EXPECT_EQ(board().retries, 5u);
    EXPECT_EQ(board().rows_delivered, board().rows_read);
}

TEST_F(FlushAheadTest, AStopWaitsUntilWhatIsInFlightIsDurable) {
    script_.hold_flushes = true;
    const auto lsns = append_many(5, 3);
    start_lane();
    ASSERT_TRUE(eventually([&] { return script_.calls("flush") > 0; }));
    stop_lane();
    EXPECT_EQ(script_.cursor().commit_lsn, commits().back());
    EXPECT_GT(script_.calls("settle"), 0);
}

/// The batch that waits for its turn is with nobody while what was before it comes to its end.
TEST_F(FlushAheadTest, ABatchThatWaitsKeepsTheShapesItsRowsHave) {
    settings_.limits.batch_rows_max = 4;
    script_.hold_flushes = script_.finish_all = true;
    append_transaction(0x1000, 8, true);  // two parts: as many as may be in flight
    SampleStream stream;
    stream.begin(0x2000);
    stream.insert(100, "old");
    stream.relation(100, 2, "renamed");
    stream.insert(100, "new", 2);
    stream.commit();
    ASSERT_TRUE(append(stream).is_ok());
    start_lane();
    ASSERT_TRUE(delivers(2));
    EXPECT_EQ(script_.durable()[1].changes,
              (std::vector<std::string>{"insert orders id=old", "insert renamed id=new"}));
    EXPECT_EQ(board().retries, 0u);
}

}  // namespace
}  // namespace fanout::testing
