// What of a ring's bytes goes to the journal.
#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

class SpanWalkTest : public JournalFixture {};

TEST_F(SpanWalkTest, LeavesOutWhatTheJournalHasButKeepsTheTables) {
    open_and_attach();
    SampleStream stream;
    stream.transaction(0x1000, 1, true);
    stream.transaction(0x2000, 1);
    stream.message_outside(0x2800, "app", "once");
    ASSERT_TRUE(append(stream).is_ok());
    attach(2, 0x1000);
    SampleStream again(2);
    again.begin(0x1000);
    again.relation(100, 5);
    again.cut_last_into_pieces(64);
    again.insert(100, std::string(2000, 'x'), 5);
    again.cut_last_into_pieces(800);
    again.commit();
    again.keepalive(0x1800);
    again.transaction(0x2000, 1);
    again.message_outside(0x2800, "app", "once");
    again.transaction(0x3000, 1);
    again.keepalive(0x1900, wire::kFlagReportRequested);
    ASSERT_TRUE(append(again).is_ok()) << walk_->refusal();
    EXPECT_EQ(walk_->transactions_skipped(), 2u);
    EXPECT_EQ(walk_->skipped_end_lsn(), 0x2030u);
    const Seen seen = read();
    EXPECT_EQ(seen.commits(), (std::vector<Lsn>{0x1000, 0x2000, 0x3000}));
    EXPECT_EQ(seen.messages, std::vector<std::string>{"once"});
    EXPECT_EQ(seen.relations.back().second, 5u);
    EXPECT_EQ(seen.keepalives, std::vector<Lsn>{0x1900}) << "somebody waits for it";
    EXPECT_EQ(journal_->end_lsn(), 0x3030u);
}

TEST_F(SpanWalkTest, RefusesEveryFlippedByteAndAppendsNothingOfIt) {
    open_and_attach();
    SampleStream stream;
    stream.transaction(0x1000, 2, true);
    for (std::size_t at = 0; at < stream.bytes.size(); ++at) {
        auto bytes = stream.bytes;
        bytes[at] ^= 0x04;
        drain::SpanWalk walk(1);
        ASSERT_FALSE(walk.plan({bytes.data(), bytes.size()}, journal_->state(), false)) << at;
        ASSERT_NE(walk.refusal().find("ring, byte"), std::string::npos);
    }
}

TEST_F(SpanWalkTest, RefusesARecordOfAnotherAttachment) {
    open_and_attach(2);
    SampleStream stream(1);
    stream.transaction(0x1000, 1, true);
    EXPECT_EQ(append(stream).kind(), StatusKind::corruption);
    EXPECT_NE(walk_->refusal().find("another attachment"), std::string::npos);
}

TEST_F(SpanWalkTest, ReportsSubscriptionsAtTheirCommitOnly) {
    open_and_attach();
    const auto config = [](SampleStream& stream, const char* json) {
        stream.message("pg_fanout.config", json);
    };
    SampleStream stream;
    stream.begin(0x1000);
    config(stream, R"({"op":"add","id":7,"owner":"a","tables":["public.*"]})");
    config(stream, R"({"op":"drop","id":3})");
    config(stream, "not json");
    config(stream, R"({"op":"add","id":-1})");
    config(stream, R"(["op"])");
    stream.message("other", R"({"op":"add","id":8})");
    drain::SpanWalk walk(1);
    ASSERT_TRUE(walk.plan(stream.view(), journal_->state(), false));
    EXPECT_TRUE(walk.news().empty());
    auto state = walk.append().state_after;
    stream.clear();
    stream.commit();
    // The commit counts its changes from the begin on.
    ASSERT_TRUE(walk.plan(stream.view(), state, false)) << walk.refusal();
    ASSERT_EQ(walk.news().size(), 2u);
    EXPECT_TRUE(walk.news()[0].added);
    EXPECT_EQ(walk.news()[0].subscription, 7u);
    EXPECT_EQ(walk.news()[0].commit_lsn, 0x1000u);
    EXPECT_FALSE(walk.news()[1].added);
    EXPECT_EQ(walk.news()[1].subscription, 3u);
}

TEST_F(SpanWalkTest, EndsAStretchAtABoundaryWhenOneIsWanted) {
    open_and_attach();
    SampleStream stream;
    stream.transaction(0x1000, 1, true);
    const auto first = stream.bytes.size();
    stream.transaction(0x2000, 1);
    ASSERT_TRUE(walk_->plan(stream.view(), journal_->state(), true));
    EXPECT_EQ(walk_->consumed(), first);
    ASSERT_TRUE(walk_->plan(stream.view(), journal_->state(), false));
    EXPECT_EQ(walk_->consumed(), stream.bytes.size());
    EXPECT_EQ(walk_->append().runs.size(), 1u) << "one write";
}

}  // namespace
}  // namespace fanout::testing
