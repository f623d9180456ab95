// Which segments go, and who is left behind.
#include <limits>
#include <thread>

#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

using journal::LimitAction;
using journal::Retention;
using journal::SegmentFacts;
using Clock = std::chrono::system_clock;

std::vector<SegmentFacts> three_segments(Clock::time_point now) {
    return {{1, 100, 0x1000, now - std::chrono::hours(3)},
            {2, 100, 0x2000, now - std::chrono::hours(2)},
            {3, 100, 0x3000, now - std::chrono::hours(1)}};
}

TEST(RetentionTest, KeepsWhatAnybodyWants) {
    const auto now = Clock::now();
    Retention retention({});
    EXPECT_EQ(retention.decide(three_segments(now), 50, now, true).remove_count, 3u);
    retention.want(1, 0x2500);
    EXPECT_EQ(retention.decide(three_segments(now), 50, now, true).remove_count, 2u);
    retention.want(2, 0x1fff);
    EXPECT_EQ(retention.decide(three_segments(now), 50, now, true).remove_count, 1u);
    retention.want(2, 0x2000);
    EXPECT_EQ(retention.decide(three_segments(now), 50, now, true).remove_count, 2u);
    retention.want(3, 0);
    EXPECT_EQ(retention.decide(three_segments(now), 50, now, true).remove_count, 0u);
    retention.forget(3);
    EXPECT_EQ(retention.decide(three_segments(now), 50, now, true).remove_count, 2u);
}

TEST(RetentionTest, LetsOnlyLaggardsGoAtALimit) {
    const auto now = Clock::now();
    journal::JournalOptions options;
    options.limit_action = LimitAction::needs_resync;
    options.bytes_max = 260;
    Retention retention(options);
    retention.want(1, 0x800);
    retention.want(2, 0x1800);
    const auto decision = retention.decide(three_segments(now), 50, now, true);
    EXPECT_EQ(decision.remove_count, 1u);
    ASSERT_EQ(decision.laggards.size(), 1u);
    EXPECT_EQ(decision.laggards[0].subscription, 1u);
    EXPECT_EQ(decision.laggards[0].wanted_from, 0x800u);
    EXPECT_EQ(retention.decide(three_segments(now), 50, now, false).laggards.size(), 0u);
}

TEST(RetentionTest, KnowsTheAge) {
    const auto now = Clock::now();
    journal::JournalOptions options;
    options.limit_action = LimitAction::needs_resync;
    options.age_max = std::chrono::minutes(90);
    Retention retention(options);
    retention.want(1, 0);
    EXPECT_EQ(retention.decide(three_segments(now), 50, now, true).remove_count, 3u)
        << "nobody else wants the last one, so nothing keeps it";
    retention.want(1, 0);
    retention.want(2, 0x2000);
    EXPECT_EQ(retention.decide(three_segments(now), 50, now, true).remove_count, 2u);
    // A clock that was set back makes segments young, not old.
    retention.want(1, 0);
    const auto past = now - std::chrono::hours(24);
    EXPECT_EQ(retention.decide(three_segments(now), 50, past, true).remove_count, 0u);
}

class TrimTest : public JournalFixture {
  protected:
    Lsn next_ = 0x1000;

    void append_some(int transactions) {
        for (int i = 0; i < transactions; ++i, next_ += 0x100) {
            SampleStream stream;
            stream.transaction(next_, 20, next_ == 0x1000);
            ASSERT_TRUE(append(stream).is_ok());
        }
        ASSERT_TRUE(journal_->sync_now().is_ok());
    }
};

TEST_F(TrimTest, RemovesFilesAndMovesTheBeginning) {
    open_and_attach();
    append_some(500);
    const auto before = segments().size();
    const auto bytes = journal_->bytes();
    const Lsn wanted = 0x1000 + 250 * 0x100;
    journal_->want(7, wanted);
    const auto report = journal_->trim();
    EXPECT_TRUE(report.status.is_ok());
    EXPECT_GT(report.segments_removed, 1u);
    EXPECT_EQ(segments().size(), before - report.segments_removed);
    EXPECT_EQ(journal_->bytes(), bytes - report.bytes_removed);
    EXPECT_LE(journal_->first_lsn(), wanted);
    EXPECT_GT(journal_->first_lsn(), 0x100u);
    EXPECT_EQ(read(wanted).transactions.size(), 250u);
    EXPECT_EQ(read(journal_->first_lsn()).commits().back(), next_ - 0x100);
    auto reader = journal_->new_reader();
    EXPECT_FALSE(reader->seek(0x100));
    EXPECT_NE(reader->status().text().find("resync"), std::string::npos);
    EXPECT_NE(reader->status().text().find(lsn_text(journal_->first_lsn())), std::string::npos);
    // The same after a restart.
    const Lsn first = journal_->first_lsn();
    ASSERT_TRUE(open().is_ok());
    EXPECT_EQ(journal_->first_lsn(), first);
    EXPECT_EQ(read(wanted).transactions.size(), 250u);
}

TEST_F(TrimTest, AReaderThatIsOvertakenIsTold) {
    open_and_attach();
    append_some(10);
    auto reader = journal_->new_reader();
    ASSERT_TRUE(reader->seek(0x100));
    wire::RecordView record;
    ASSERT_EQ(reader->next(record), journal::ReadOutcome::record);
    append_some(500);
    journal_->trim();
    const Seen seen = [&] {
        Seen all;
        while ((all.last = reader->next(record)) == journal::ReadOutcome::record) {
        }
        return all;
    }();
    EXPECT_EQ(seen.last, journal::ReadOutcome::trimmed);
    EXPECT_EQ(reader->next(record), journal::ReadOutcome::trimmed);
}

TEST_F(TrimTest, AtTheLimitTheDrainHoldsUntilALaneMovesOn) {
    options_.bytes_max = 512 << 10;
    open_and_attach();
    journal_->want(1, 0x100);
    while (!journal_->must_hold())
        append_some(1);
    EXPECT_GT(journal_->bytes(), options_.bytes_max);
    EXPECT_LT(journal_->bytes(), 2 * options_.bytes_max);
    EXPECT_TRUE(journal_->must_hold());
    journal_->want(1, next_);
    EXPECT_FALSE(journal_->must_hold()) << "it trims by itself";
    EXPECT_LT(journal_->bytes(), options_.bytes_max);
}

TEST_F(TrimTest, NewLimitsTakeEffectWhileItIsOpen) {
    options_.segment_bytes = 512 << 10;
    open_and_attach();
    journal_->want(1, 0x100);
    while (journal_->bytes() < 400 << 10)
        append_some(1);
    EXPECT_EQ(segments().size(), 1u);
    EXPECT_FALSE(journal_->must_hold()) << "no limit yet";
    auto limits = options_;
    limits.bytes_max = 256 << 10;
    std::thread([&] { journal_->set_limits(limits); }).join();
    EXPECT_TRUE(journal_->must_hold());
    journal_->want(1, next_);
    EXPECT_TRUE(journal_->sync_now().is_ok());
    EXPECT_FALSE(journal_->must_hold()) << "the open segment was larger than the new limit";
    EXPECT_LT(journal_->bytes(), limits.bytes_max);
    // And up again: readers have mapped the open segment for the smaller size.
    journal_->set_limits(options_);
    journal_->want(1, 0x100);
    append_some(1000);
    EXPECT_FALSE(journal_->must_hold());
    EXPECT_EQ(read(journal_->first_lsn()).commits().back(), next_ - 0x100);
    limits.limit_action = LimitAction::needs_resync;
    journal_->set_limits(limits);
    EXPECT_FALSE(journal_->must_hold());
    EXPECT_EQ(journal_->trim().laggards.size(), 1u);
}

TEST_F(TrimTest, AtTheLimitTheLaggardIsLetGo) {
    options_.bytes_max = 512 << 10;
    options_.limit_action = LimitAction::needs_resync;
    open_and_attach();
    journal_->want(1, 0x100);
    journal::TrimReport report;
    while (report.laggards.empty()) {
        append_some(1);
        EXPECT_FALSE(journal_->must_hold());
        journal_->want(2, next_);
        report = journal_->trim();
    }
    ASSERT_EQ(report.laggards.size(), 1u);
    EXPECT_EQ(report.laggards[0].subscription, 1u);
    EXPECT_GT(journal_->first_lsn(), 0x100u);
}

TEST_F(TrimTest, ALimitNeverCutsTheTransactionThatIsBeingWritten) {
    options_.bytes_max = 512 << 10;
    options_.limit_action = LimitAction::needs_resync;
    open_and_attach();
    append_some(1);
    journal_->want(1, next_);
    SampleStream stream;
    stream.begin(next_);
    for (int i = 0; i < 10'000; ++i) {
        stream.insert(100, std::string(100, 'x'));
        if (i % 100 != 99) continue;
        ASSERT_TRUE(append(stream).is_ok());
        stream.clear();
        EXPECT_FALSE(journal_->must_hold());
        ASSERT_TRUE(journal_->trim().laggards.empty());
    }
    stream.commit();
    ASSERT_TRUE(append(stream).is_ok());
    EXPECT_EQ(read(next_).transactions.at(0).values.size(), 10'000u);
}

}  // namespace
}  // namespace fanout::testing
