// What reaches a target when nothing goes wrong: which changes, in which pieces, under which
// cursor.
#include "tests/unit/lane/lane_fixture.hpp"

namespace fanout::testing {
namespace {

using lane::LaneState;

class DeliveryTest : public LaneFixture {
  protected:
    /// Table 200 "people" (id, note) with these subscriptions.
    void announce_people(SampleStream& stream, Lsn lsn, std::vector<std::uint32_t> wanted,
                         std::vector<std::uint32_t> denied) {
        stream.put(wire::Kind::relation, 0, lsn, 0, [&](wire::RecordWriter& out) {
            out.put(wire::RelationBody{200, 1, 'd', 'r', 2,
                                       static_cast<std::uint16_t>(wanted.size()),
                                       static_cast<std::uint16_t>(denied.size())});
            out.put_text("public");
            out.put_text("people");
            for (const char* name : {"id", "note"}) {
                out.put(wire::ColumnBody{
                    25, -1, 1, static_cast<std::uint8_t>(wire::ValueClass::bytes), 0, 0, 0});
                out.put_text(name);
                out.put_text("text");
            }
            for (const auto id : wanted)
                out.put(id);
            for (const auto id : denied)
                out.put(id);
        });
    }
    void insert_person(SampleStream& stream, Lsn lsn, std::uint64_t index) {
        stream.put(wire::Kind::insert, 0, lsn, index, [&](wire::RecordWriter& out) {
            out.put(wire::RowBody{200, 1, 0, {}});
            out.put_sized("1", 1);
            out.put_tag(wire::Tag::null);
        });
    }
};

TEST_F(DeliveryTest, DeliversWholeTransactionsInCommitOrderAndTheCountsAddUp) {
    append_transaction(0x1000, 3, true);
    start_lane();
    ASSERT_TRUE(delivers(1));
    append_transaction(0x2000, 2);
    append_transaction(0x3000, 1);
    ASSERT_TRUE(delivers(3));
    EXPECT_EQ(commits(), (std::vector<Lsn>{0x1000, 0x2000, 0x3000}));
    EXPECT_EQ(script_.durable()[0].changes,
              (std::vector<std::string>{"insert orders id=value 0", "insert orders id=value 1",
                                        "insert orders id=value 2"}));
    const auto board = this->board();
    EXPECT_EQ(board.state, LaneState::streaming);
    EXPECT_EQ(board.rows_delivered, 6u);
    EXPECT_EQ(board.rows_read, board.rows_delivered + board.rows_filtered);
    EXPECT_EQ(board.transactions, 3u);
    EXPECT_EQ(board.cursor.commit_lsn, 0x3000u);
    EXPECT_EQ(board.cursor.end_lsn, 0x3030u);
    ASSERT_EQ(board.tables.size(), 1u);
    EXPECT_EQ(board.tables[0].name, "orders");
    EXPECT_EQ(board.tables[0].rows_delivered, 6u);
    EXPECT_EQ(script_.epoch, 1u);
}

// fanout.wait_for() believes the cursor that is told.
TEST_F(DeliveryTest, WhatTheTargetHasNotAnsweredForIsNotTold) {
    append_transaction(0x1000, 3, true);
    start_lane();
    ASSERT_TRUE(delivers(1));
    script_.hold_writes = true;
    append_transaction(0x2000, 3);
    ASSERT_TRUE(eventually([&] { return !board().caught_up; }));
    EXPECT_EQ(board().cursor.commit_lsn, 0x1000u);
    EXPECT_EQ(board().rows_delivered, 3u);
    stop_lane();
}

TEST_F(DeliveryTest, GroupsWhatHasArrivedIntoOneWriteAndOneFlush) {
    for (int i = 0; i < 50; ++i)
        append_transaction(0x1000 + static_cast<Lsn>(i) * 0x100, 2, i == 0);
    start_lane();
    ASSERT_TRUE(delivers(50));
    EXPECT_EQ(script_.calls("write"), 1);
    EXPECT_EQ(script_.calls("flush"), 1);
}

TEST_F(DeliveryTest, ATransactionLargerThanTheLimitComesInPartsUnderOneFlush) {
    settings_.limits.batch_rows_max = 10;
    append_transaction(0x1000, 35, true);
    start_lane();
    ASSERT_TRUE(delivers(1));
    const auto seen = script_.durable();
    EXPECT_EQ(seen[0].changes.size(), 35u);
    EXPECT_EQ(seen[0].parts, 4);
    EXPECT_EQ(script_.calls("flush"), 1);
    EXPECT_EQ(board().rows_delivered, 35u);
}

TEST_F(DeliveryTest, CompleteTransactionsDoNotWaitForALargeOneBehindThem) {
    settings_.limits.batch_rows_max = 10;
    append_transaction(0x1000, 3, true);
    SampleStream open;
    open.begin(0x2000);
    for (int i = 0; i < 25; ++i)
        open.insert(100, "row");
    ASSERT_TRUE(append(open).is_ok());
    start_lane();
    ASSERT_TRUE(eventually([&] { return script_.calls("write") >= 3; }));
    EXPECT_EQ(commits(), std::vector<Lsn>{0x1000});
    open.clear();
    open.commit();
    ASSERT_TRUE(append(open).is_ok());
    ASSERT_TRUE(delivers(2));
    EXPECT_EQ(script_.durable()[1].changes.size(), 25u);
}

TEST_F(DeliveryTest, RowsOfOthersTablesMoveOnlyTheCursor) {
    SampleStream stream;
    stream.begin(0x1000);
    announce_people(stream, 0x1000, {8}, {});
    insert_person(stream, 0x1000, 1);
    stream.put(wire::Kind::commit, 0, 0x1000, 0, [](wire::RecordWriter& out) {
        out.put(wire::CommitBody{0x1030, 1000, 1});
    });
    ASSERT_TRUE(append(stream).is_ok());
    start_lane();
    ASSERT_TRUE(eventually([&] { return board().cursor.end_lsn == 0x1030; }));
    EXPECT_EQ(script_.calls("write"), 0);
    EXPECT_EQ(board().rows_read, 0u);
}

TEST_F(DeliveryTest, AnUnchangedValueStaysUnchanged) {
    SampleStream stream;
    stream.begin(0x1000);
    announce_people(stream, 0x1000, {7}, {});
    stream.put(wire::Kind::update, 0, 0x1000, 1, [](wire::RecordWriter& out) {
        out.put(wire::RowBody{200, 1, static_cast<std::uint8_t>(wire::OldImage::key), {}});
        out.put_sized("0", 1);
        out.put_tag(wire::Tag::absent);
        out.put_sized("1", 1);
        out.put_tag(wire::Tag::unchanged);
    });
    stream.put(wire::Kind::commit, 0, 0x1000, 0, [](wire::RecordWriter& out) {
        out.put(wire::CommitBody{0x1030, 1000, 1});
    });
    ASSERT_TRUE(append(stream).is_ok());
    start_lane();
    ASSERT_TRUE(delivers(1));
    EXPECT_EQ(script_.durable()[0].changes,
              std::vector<std::string>{"update people id=0 -> id=1 note=?"});
}

TEST_F(DeliveryTest, ATruncateNamesOnlyTheTablesThatAreWanted) {
    SampleStream stream;
    stream.begin(0x1000);
    stream.relation(100);
    announce_people(stream, 0x1000, {8}, {});
    stream.put(wire::Kind::truncate, wire::kFlagCascade, 0x1000, 1, [](wire::RecordWriter& out) {
        out.put(wire::TruncateBody{2, 0});
        out.put(std::uint32_t{200});
        out.put(std::uint32_t{100});
    });
    stream.put(wire::Kind::commit, 0, 0x1000, 0, [](wire::RecordWriter& out) {
        out.put(wire::CommitBody{0x1030, 1000, 1});
    });
    ASSERT_TRUE(append(stream).is_ok());
    start_lane();
    ASSERT_TRUE(delivers(1));
    EXPECT_EQ(script_.durable()[0].changes, std::vector<std::string>{"truncate orders"});
}

TEST_F(DeliveryTest, MessagesGoToThoseThatWantThemAndOursToNobody) {
    connector_ = scripted_connector(FANOUT_CAP_TARGET_CURSOR | FANOUT_CAP_MESSAGES);
    settings_.messages = {"a*", "pg_fanout.config"};
    SampleStream stream;
    stream.begin(0x1000);
    stream.message("app", "inside");
    stream.message("pg_fanout.config", "{}");
    stream.message("pg_fanout.other", "{}");
    stream.message("bapp", "not chosen");
    stream.commit();
    stream.message_outside(0x1F00, "pg_fanout.config", "forged");
    stream.message_outside(0x2000, "app", "outside");
    ASSERT_TRUE(append(stream).is_ok());
    start_lane();
    ASSERT_TRUE(delivers(2));
    EXPECT_EQ(script_.durable()[0].changes, std::vector<std::string>{"message app:inside"});
    EXPECT_EQ(script_.durable()[1].changes, std::vector<std::string>{"message app:outside"});
    EXPECT_EQ(board().rows_read, 0u);
}

TEST_F(DeliveryTest, AKeepaliveSomebodyWaitsForIsReportedAtOnce) {
    start_lane();
    ASSERT_TRUE(reaches(LaneState::streaming));
    const int before = urgent_;
    SampleStream stream;
    stream.keepalive(0x5000, wire::kFlagReportRequested);
    ASSERT_TRUE(append(stream).is_ok());
    EXPECT_TRUE(eventually([&] { return urgent_ > before; }));
    EXPECT_EQ(board().cursor.end_lsn, 0x5000u);
    EXPECT_EQ(script_.calls("flush"), 0) << "nothing was written";
}

TEST_F(DeliveryTest, AKeepaliveNobodyWaitsForIsNoNews) {
    start_lane();
    ASSERT_TRUE(eventually([&] { return board().caught_up; }));
    static_cast<void>(lane_->outbox().take_events());
    SampleStream stream;
    stream.keepalive(0x5000);
    ASSERT_TRUE(append(stream).is_ok());
    ASSERT_TRUE(eventually([&] { return board().cursor.end_lsn == 0x5000; }));
    EXPECT_FALSE(lane_->outbox().take_events().any);
}

TEST_F(DeliveryTest, ADeniedTableStopsTheLaneUntilItIsPermitted) {
    SampleStream stream;
    stream.begin(0x1000);
    announce_people(stream, 0x1000, {8}, {7});
    insert_person(stream, 0x1000, 1);
    stream.put(wire::Kind::commit, 0, 0x1000, 0, [](wire::RecordWriter& out) {
        out.put(wire::CommitBody{0x1030, 1000, 1});
    });
    ASSERT_TRUE(append(stream).is_ok());
    start_lane();
    ASSERT_TRUE(reaches(LaneState::denied));
    EXPECT_NE(board().last_error.find("people"), std::string::npos);
    EXPECT_NE(board().last_error_hint.find("GRANT SELECT ON public.people TO alice"),
              std::string::npos);
    EXPECT_EQ(lane_->denied_table(), 200u);
    EXPECT_TRUE(script_.durable().empty());
    stop_lane();
    settings_.permitted_until[200] = 0x2000;
    start_lane();
    ASSERT_TRUE(delivers(1));
    EXPECT_EQ(script_.durable()[0].changes,
              std::vector<std::string>{"insert people id=1 note=null"});
}

TEST_F(DeliveryTest, AStartTheJournalNoLongerReachesNeedsAResync) {
    settings_.start_lsn = 0x50;  // the journal begins at 0x100
    start_lane();
    ASSERT_TRUE(reaches(LaneState::needs_resync));
    EXPECT_NE(board().last_error.find("0/50"), std::string::npos) << board().last_error;
    EXPECT_FALSE(board().last_error_hint.empty());
}

}  // namespace
}  // namespace fanout::testing
