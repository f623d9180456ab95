// What a lane does when its target, its journal or its owner interrupts it.
#include "tests/unit/lane/lane_fixture.hpp"

namespace fanout::testing {
namespace {

using lane::LaneState;
using namespace std::chrono_literals;

class LaneFaultsTest : public LaneFixture {};

TEST_F(LaneFaultsTest, ARetryIsRepeatedAndNothingIsDoubled) {
    script_.fail("write", {FANOUT_RETRY}, 2);
    append_transaction(0x1000, 3, true);
    start_lane();
    ASSERT_TRUE(delivers(1));
    EXPECT_EQ(commits(), std::vector<Lsn>{0x1000});
    EXPECT_EQ(board().retries, 2u);
    EXPECT_EQ(board().state, LaneState::streaming);
    EXPECT_EQ(board().last_error, "write was told to fail");
    EXPECT_EQ(board().rows_delivered, 3u);
    EXPECT_EQ(board().rows_read, 3u);
}

TEST_F(LaneFaultsTest, AFlushThatWorkedButSaidItFailedIsNotRepeated) {
    script_.fail("flush", {FANOUT_RETRY, true});
    append_transaction(0x1000, 1, true);
    append_transaction(0x2000, 1);
    start_lane();
    ASSERT_TRUE(eventually([&] { return board().caught_up && board().retries == 1; }));
    EXPECT_EQ(commits(), (std::vector<Lsn>{0x1000, 0x2000}));
}

// Killed between the commit of create_subscription() and the lane's first start: only the catalog's
// position is known, which lies before the commit and before the journal's first byte.
TEST_F(LaneFaultsTest, ASubscriptionBeginsAtItsCreationThoughTheJournalBeginsLater) {
    settings_.start_lsn = journal_->first_lsn() - 1;
    SampleStream stream;
    stream.transaction(0x1000, 2, true);
    stream.begin(0x2000);
    stream.message("pg_fanout.config", R"({"op":"add","id":7})");
    stream.commit();
    stream.transaction(0x3000, 1);
    ASSERT_TRUE(append(stream).is_ok());
    start_lane();
    ASSERT_TRUE(delivers(1));
    EXPECT_EQ(commits(), std::vector<Lsn>{0x3000});
}

TEST_F(LaneFaultsTest, WithoutItsCreationInTheJournalASubscriptionNeedsAResync) {
    settings_.start_lsn = journal_->first_lsn() - 1;
    append_transaction(0x1000, 1, true);
    start_lane();
    ASSERT_TRUE(reaches(LaneState::needs_resync));
    EXPECT_TRUE(script_.durable().empty());
}

TEST_F(LaneFaultsTest, AStopReadsToTheJournalsEndSoThatTheTargetsCursorIsThere) {
    append_transaction(0x1000, 1, true);
    start_lane();
    ASSERT_TRUE(delivers(1));
    SampleStream stream;
    stream.keepalive(0x5000);
    ASSERT_TRUE(append(stream).is_ok());
    stop_lane();
    EXPECT_EQ(script_.cursor().end_lsn, 0x5000u);
}

TEST_F(LaneFaultsTest, AnExceptionIsARetry) {
    script_.fail("open", {FANOUT_RETRY, false, true});
    append_transaction(0x1000, 1, true);
    start_lane();
    ASSERT_TRUE(delivers(1));
    EXPECT_EQ(board().last_error, "not classified");
}

TEST_F(LaneFaultsTest, ARejectedChangeStopsTheLaneAndIsNamed) {
    script_.fail("write", {FANOUT_REJECT});
    append_transaction(0x1000, 3, true);
    start_lane();
    ASSERT_TRUE(reaches(LaneState::failed));
    EXPECT_NE(board().last_error.find("change at 0/1000, index 2"), std::string::npos);
    EXPECT_TRUE(script_.durable().empty());
    EXPECT_EQ(board().rows_dead_lettered, 0u);
}

TEST_F(LaneFaultsTest, FatalAndFencedAreFinal) {
    for (const auto outcome : {FANOUT_FATAL, FANOUT_FENCED}) {
        script_.fail("open", {outcome});
        const int opened = script_.calls("open");
        start_lane();
        ASSERT_TRUE(reaches(LaneState::failed));
        EXPECT_FALSE(board().last_error_hint.empty());
        std::this_thread::sleep_for(300ms);
        EXPECT_EQ(script_.calls("open"), opened + 1) << "no second attempt";
        stop_lane();
    }
}

TEST_F(LaneFaultsTest, AWrongOptionIsFatalBeforeTheTargetIsTouched) {
    settings_.options["colour"] = {host::OptionValue::Kind::text, "blue"};
    start_lane();
    ASSERT_TRUE(reaches(LaneState::failed));
    EXPECT_NE(board().last_error.find("one of red|green"), std::string::npos);
    EXPECT_EQ(script_.calls("open"), 0);
}

TEST_F(LaneFaultsTest, AnOpenTransactionThatIsVoidedComesAgainWhole) {
    append_transaction(0x1000, 1, true);
    SampleStream open;
    open.begin(0x2000);
    open.insert(100, "void");
    ASSERT_TRUE(append(open).is_ok());
    start_lane();
    ASSERT_TRUE(eventually([&] { return script_.durable().size() == 1; }));
    attach(2, 0x1030);  // the journal voids what the first attachment left open
    SampleStream again(2);
    again.transaction(0x2000, 2, true);
    ASSERT_TRUE(append(again).is_ok());
    ASSERT_TRUE(delivers(2));
    EXPECT_EQ(script_.durable()[1].changes,
              (std::vector<std::string>{"insert orders id=value 0", "insert orders id=value 1"}));
    EXPECT_EQ(script_.calls("open"), 1) << "nothing of it had been written";
    EXPECT_EQ(board().rows_read, 3u);
}

TEST_F(LaneFaultsTest, AVoidedTransactionThatWasPartlyWrittenIsTakenBack) {
    settings_.limits.batch_rows_max = 10;
    append_transaction(0x1000, 1, true);
    SampleStream open;
    open.begin(0x2000);
    for (int i = 0; i < 25; ++i)
        open.insert(100, "void");
    ASSERT_TRUE(append(open).is_ok());
    start_lane();
    ASSERT_TRUE(eventually([&] { return script_.calls("write") >= 3; }));
    attach(2, 0x1030);
    SampleStream again(2);
    again.transaction(0x2000, 2, true);
    ASSERT_TRUE(append(again).is_ok());
    ASSERT_TRUE(delivers(2));
    EXPECT_EQ(script_.durable()[1].changes.size(), 2u);
    EXPECT_EQ(script_.calls("open"), 2);
    EXPECT_EQ(board().rows_delivered, 3u);
    EXPECT_EQ(board().rows_read, 3u);
}

TEST_F(LaneFaultsTest, ARestartGoesOnAtTheTargetsCursor) {
    append_transaction(0x1000, 1, true);
    start_lane();
    ASSERT_TRUE(delivers(1));
    stop_lane();
    append_transaction(0x2000, 1);
    start_lane();
    ASSERT_TRUE(delivers(2));
    EXPECT_EQ(commits(), (std::vector<Lsn>{0x1000, 0x2000}));
    EXPECT_EQ(board().rows_delivered, 2u) << "counters survive a clean stop";
}

TEST_F(LaneFaultsTest, WithoutATargetCursorTheFileIsTheCursor) {
    connector_ = scripted_connector(0);
    append_transaction(0x1000, 1, true);
    start_lane();
    ASSERT_TRUE(delivers(1));
    stop_lane();
    script_.set_cursor({});  // what the target says does not count
    append_transaction(0x2000, 1);
    start_lane();
    ASSERT_TRUE(delivers(2));
    EXPECT_EQ(commits(), (std::vector<Lsn>{0x1000, 0x2000}));
}

TEST_F(LaneFaultsTest, StoppingDeliversWhatIsComplete) {
    for (int i = 0; i < 20; ++i)
        append_transaction(0x1000 + static_cast<Lsn>(i) * 0x100, 1, i == 0);
    start_lane();
    lane_->stop(2s);
    const auto first = script_.durable().size();
    start_lane();
    ASSERT_TRUE(delivers(20));
    EXPECT_EQ(script_.durable().size(), 20u) << "after " << first << " before the stop";
}

TEST_F(LaneFaultsTest, ATargetThatHangsIsInterrupted) {
    script_.hold_writes = true;
    append_transaction(0x1000, 1, true);
    start_lane();
    ASSERT_TRUE(reaches(LaneState::streaming));
    const auto begun = std::chrono::steady_clock::now();
    lane_->stop(50ms);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
    EXPECT_TRUE(script_.durable().empty());
}

TEST_F(LaneFaultsTest, ALaneThatWaitsToTryAgainStopsAtOnce) {
    script_.fail("open", {FANOUT_RETRY}, 100);
    start_lane();
    ASSERT_TRUE(eventually([&] { return board().retries >= 3; }));
    const auto begun = std::chrono::steady_clock::now();
    lane_->stop(5s);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 4s);
}

}  // namespace
}  // namespace fanout::testing
