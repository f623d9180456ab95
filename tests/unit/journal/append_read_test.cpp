// What is appended is what a lane reads: across segments, from any position, while it grows.
#include <thread>

#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

using journal::ReadOutcome;
using journal::WakeReason;

class AppendReadTest : public JournalFixture {
  protected:
    /// Transactions at 0x1000, 0x1100, … of `rows` rows each, the first announces its table.
    std::vector<Lsn> append_transactions(int count, int rows, Lsn first = 0x1000) {
        std::vector<Lsn> commits;
        for (int i = 0; i < count; ++i) {
            SampleStream stream(epoch_);
            const Lsn lsn = first + static_cast<Lsn>(i) * 0x100;
            stream.transaction(lsn, rows, i == 0);
            commits.push_back(lsn);
            EXPECT_TRUE(append(stream).is_ok());
        }
        return commits;
    }
    std::uint32_t epoch_ = 1;
};

TEST_F(AppendReadTest, GivesBackWhatWasAppended) {
    open_and_attach();
    SampleStream stream;
    stream.transaction(0x1000, 3, true);
    stream.keepalive(0x2000);
    stream.message_outside(0x2100, "app", "outside");
    stream.begin(0x3000);
    stream.message("app", "inside");
    stream.commit();
    ASSERT_TRUE(append(stream).is_ok());
    const Seen seen = read();
    EXPECT_EQ(seen.commits(), (std::vector<Lsn>{0x1000, 0x3000}));
    EXPECT_EQ(seen.transactions[0].values,
              (std::vector<std::string>{"value 0", "value 1", "value 2"}));
    EXPECT_EQ(seen.keepalives, std::vector<Lsn>{0x2000});
    EXPECT_EQ(seen.messages, (std::vector<std::string>{"outside", "inside"}));
    EXPECT_EQ(seen.last, ReadOutcome::at_end);
    EXPECT_EQ(journal_->first_lsn(), 0x100u);
    EXPECT_EQ(journal_->end_lsn(), 0x3030u);
}

TEST_F(AppendReadTest, AnEmptyJournalHasNoPositionsAndNothingToRead) {
    ASSERT_TRUE(open().is_ok());
    EXPECT_EQ(journal_->first_lsn(), 0u);
    EXPECT_EQ(journal_->durable_end_lsn(), 0u);
    auto reader = journal_->new_reader();
    EXPECT_TRUE(reader->seek(0x500));
    wire::RecordView record;
    EXPECT_EQ(reader->next(record), ReadOutcome::at_end);
    EXPECT_EQ(reader->wait(std::chrono::milliseconds(1)), WakeReason::timeout);
    attach(1, 0x100);
    EXPECT_EQ(journal_->durable_end_lsn(), 0x100u);
    append_transactions(2, 1);
    EXPECT_EQ(reader->wait(std::chrono::milliseconds(1)), WakeReason::data);
    EXPECT_EQ(read_all(*reader).commits(), (std::vector<Lsn>{0x1000, 0x1100}));
}

TEST_F(AppendReadTest, ReadsOnAcrossSegmentsAndFromEveryPosition) {
    open_and_attach();
    const auto commits = append_transactions(600, 20);
    ASSERT_GT(segments().size(), 5u);
    EXPECT_EQ(read().commits(), commits);
    for (std::size_t i = 0; i < commits.size(); i += 37) {
        for (const Lsn from : {commits[i], commits[i] + 1}) {
            const Seen seen = read(from);
            const std::vector<Lsn> expected(
                commits.begin() + static_cast<long>(i + (from == commits[i] ? 0 : 1)),
                commits.end());
            EXPECT_EQ(seen.commits(), expected);
            ASSERT_FALSE(seen.relations.empty()) << "a lane must learn the table first";
            EXPECT_EQ(seen.relations[0].first, 100u);
        }
    }
}

TEST_F(AppendReadTest, ALaneLearnsTheShapeInForceWhereItBegins) {
    open_and_attach();
    SampleStream stream;
    for (std::uint32_t version = 1; version <= 40; ++version) {
        stream.begin(0x1000 * version);
        stream.relation(100, version);
        stream.relation(200, version, std::string(100, 'n'));
        for (int i = 0; i < 100; ++i)
            stream.insert(100, std::string(40, 'x'), version);
        stream.commit();
        ASSERT_TRUE(append(stream).is_ok());
        stream.clear();
    }
    ASSERT_GT(segments().size(), 3u);
    for (std::uint32_t version = 1; version <= 40; ++version) {
        auto reader = journal_->new_reader();
        ASSERT_TRUE(reader->seek(0x1000 * version));
        wire::RecordView record;
        std::uint32_t last_seen = 0;
        while (reader->next(record) == ReadOutcome::record && record.kind() != wire::Kind::begin) {
            ASSERT_EQ(record.kind(), wire::Kind::relation);
            wire::BodyCursor cursor(record.body);
            const auto body = cursor.take<wire::RelationBody>();
            if (body.relation == 100) last_seen = body.version;
        }
        EXPECT_EQ(record.header.lsn, 0x1000 * version);
        EXPECT_EQ(last_seen, version - 1) << "the last shape before the transaction";
    }
}

TEST_F(AppendReadTest, ALaneLearnsEveryShapeOfATableThatHasSeveral) {
    open_and_attach();
    SampleStream stream;
    stream.begin(0x1000);
    stream.relation(300, 1);
    stream.relation(300, 2, "replaced", wire::kFlagAlso);
    stream.relation(300, 3);
    stream.relation(300, 4, "also", wire::kFlagAlso);
    stream.insert(300, "x", 4);
    stream.commit();
    ASSERT_TRUE(append(stream).is_ok());
    append_transactions(600, 20, 0x2000);
    ASSERT_GT(segments().size(), 3u);
    std::vector<std::uint32_t> versions;
    for (const auto& [table, version] : read(0x2000 + 590 * 0x100).relations)
        if (table == 300) versions.push_back(version);
    EXPECT_EQ(versions, (std::vector<std::uint32_t>{3, 4}));
}

TEST_F(AppendReadTest, PutsPiecesTogetherAlsoAcrossSegments) {
    open_and_attach();
    std::string huge(900'000, 'h');
    for (std::size_t i = 0; i < huge.size(); ++i)
        huge[i] = static_cast<char>('a' + i % 23);
    SampleStream stream;
    stream.begin(0x1000);
    stream.relation(100);
    stream.insert(100, "before");
    stream.insert(100, huge);
    stream.cut_last_into_pieces(40'000);
    stream.insert(100, "after");
    stream.commit();
    stream.message_outside(0x2000, "app", huge);
    stream.cut_last_into_pieces(160'000);
    stream.transaction(0x3000, 1);
    // In small spans, so that the transaction outgrows its segment.
    std::size_t start = 0;
    for (const std::size_t end : stream.ends) {
        ASSERT_TRUE(append(stream.view().subspan(start, end - start)).is_ok());
        start = end;
    }
    ASSERT_GT(segments().size(), 3u);
    const Seen seen = read();
    ASSERT_EQ(seen.commits(), (std::vector<Lsn>{0x1000, 0x3000}));
    EXPECT_EQ(seen.transactions[0].values, (std::vector<std::string>{"before", huge, "after"}));
    EXPECT_EQ(seen.messages, std::vector<std::string>{huge});
    const Seen later = read(0x1001);
    EXPECT_EQ(later.commits(), std::vector<Lsn>{0x3000});
    EXPECT_EQ(later.messages, std::vector<std::string>{huge});
    EXPECT_EQ(read(0x2001).messages, std::vector<std::string>{});
}

TEST_F(AppendReadTest, ARelationInPiecesIsCarriedToNewSegments) {
    open_and_attach();
    SampleStream stream;
    stream.begin(0x1000);
    stream.relation(100, 9, std::string(5000, 'n'));
    stream.cut_last_into_pieces(1024);
    stream.insert(100, "x", 9);
    stream.commit();
    ASSERT_TRUE(append(stream).is_ok());
    append_transactions(600, 20, 0x2000);
    ASSERT_GT(segments().size(), 3u);
    const Seen seen = read(0x2000 + 590 * 0x100);
    ASSERT_FALSE(seen.relations.empty());
    EXPECT_EQ(seen.relations[0], (std::pair<Oid32, std::uint32_t>{100, 1}))
        << "the later record of the same table replaces it";
    ASSERT_TRUE(open().is_ok());
    EXPECT_EQ(read(0x2000 + 590 * 0x100).relations, seen.relations);
}

TEST_F(AppendReadTest, ViewsStayValidUntilReleased) {
    open_and_attach();
    append_transactions(600, 20);
    auto reader = journal_->new_reader();
    ASSERT_TRUE(reader->seek(0x100));
    std::vector<wire::RecordView> views;
    wire::RecordView record;
    while (reader->next(record) == ReadOutcome::record)
        views.push_back(record);
    ASSERT_GT(views.size(), 600u * 22u);
    ASSERT_TRUE(journal_->sync_now().is_ok());
    EXPECT_GT(journal_->trim().segments_removed, 3u) << "nobody wants anything";
    for (const auto& view : views) {
        wire::RecordView again;
        ASSERT_EQ(wire::read_record(view.whole, again), wire::Refusal::none);
    }
}

TEST_F(AppendReadTest, AWaitEndsByDataByTimeoutAndByInterrupt) {
    open_and_attach();
    auto reader = journal_->new_reader();
    ASSERT_TRUE(reader->seek(0x100));
    EXPECT_EQ(read_all(*reader).last, ReadOutcome::at_end);
    EXPECT_EQ(reader->wait(std::chrono::milliseconds(5)), WakeReason::timeout);
    reader->interrupt();
    EXPECT_EQ(reader->wait(std::chrono::seconds(60)), WakeReason::interrupted);
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        reader->interrupt();
    });
    EXPECT_EQ(reader->wait(std::chrono::seconds(60)), WakeReason::interrupted);
    other.join();
    std::thread appender([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        append_transactions(1, 1);
    });
    EXPECT_EQ(reader->wait(std::chrono::seconds(60)), WakeReason::data);
    appender.join();
    EXPECT_EQ(reader->backlog_bytes(), journal_->appended_bytes_total());
}

TEST_F(AppendReadTest, ReadersFollowAWriterLive) {
    options_.segment_bytes = 128 << 10;
    open_and_attach();
    constexpr int kTransactions = 3000;
    const auto follow = [&](Seen& seen) {
        auto reader = journal_->new_reader();
        ASSERT_TRUE(reader->seek(0x100));
        SeenTransaction open;
        wire::RecordView record;
        while (seen.transactions.size() < kTransactions) {
            const auto outcome = reader->next(record);
            if (outcome == ReadOutcome::at_end) {
                reader->release();
                reader->wait(std::chrono::seconds(10));
                continue;
            }
            ASSERT_EQ(outcome, ReadOutcome::record) << reader->status().text();
            see(record, seen, open);
        }
    };
    Seen first, second;
    std::thread one([&] { follow(first); });
    std::thread two([&] { follow(second); });
    const auto commits = append_transactions(kTransactions, 5);
    one.join();
    two.join();
    EXPECT_EQ(first.commits(), commits);
    EXPECT_EQ(second.transactions, first.transactions);
}

TEST_F(AppendReadTest, DurableFollowsAppended) {
    open_and_attach();
    std::atomic<Lsn> told{0};
    journal_->set_durable_listener([&](Lsn lsn) { told = lsn; });
    append_transactions(50, 2);
    ASSERT_TRUE(journal_->sync_now().is_ok());
    EXPECT_EQ(journal_->durable_end_lsn(), journal_->end_lsn());
    journal_->set_durable_listener(nullptr);
    EXPECT_EQ(told, 0x1000u + 49 * 0x100 + SampleStream::kCommitBytes);
}

}  // namespace
}  // namespace fanout::testing
