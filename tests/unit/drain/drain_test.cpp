// The drain thread between a fake worker and a real journal.
#include <atomic>
#include <thread>

#include "tests/unit/drain/fake_worker.hpp"
#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

using drain::DrainPhase;

class DrainTest : public JournalFixture {
  protected:
    std::vector<drain::SubscriptionNews> news_;
    std::atomic<int> ended_{0};

    std::unique_ptr<drain::Drain> start(FakeWorker& worker) {
        drain::DrainCallbacks callbacks;
        callbacks.on_subscription = [this](const auto& news) { news_.push_back(news); };
        callbacks.on_change = [this](const auto& status) {
            if (status.phase == DrainPhase::ended) ++ended_;
        };
        auto drain = std::make_unique<drain::Drain>(*journal_, callbacks);
        auto connection = worker.connect();
        EXPECT_TRUE(connection.is_ok());
        auto mapping = drain::RingMapping::map(connection.value());
        EXPECT_TRUE(mapping.is_ok());
        const auto status = drain->start(std::move(mapping.value()), std::move(connection.value()));
        EXPECT_TRUE(status.is_ok()) << status.text();
        return drain;
    }
    static bool becomes(const drain::Drain& drain, DrainPhase phase) {
        for (int i = 0; i < 6000 && drain.status().phase != phase; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return drain.status().phase == phase;
    }
};

TEST_F(DrainTest, BringsRecordsIntoTheJournalAndAcknowledgesTheirEnd) {
    ASSERT_TRUE(open().is_ok());
    FakeWorker worker(1, 0x100);
    auto drain = start(worker);
    EXPECT_EQ(journal_->first_lsn(), 0x100u);
    SampleStream stream;
    stream.transaction(0x1000, 3, true);
    ASSERT_TRUE(worker.produce(stream.view()));
    EXPECT_EQ(worker.acknowledged(0x1030), 0x1030u);
    stream.clear();
    stream.keepalive(0x5000);
    ASSERT_TRUE(worker.produce(stream.view()));
    EXPECT_EQ(worker.acknowledged(0x5000), 0x5000u);
    EXPECT_EQ(read().commits(), std::vector<Lsn>{0x1000});
    drain->stop();
    EXPECT_EQ(worker.segment.ack->tail.load(), worker.writer.head());
    EXPECT_TRUE(drain->status().end.is_ok());
    EXPECT_EQ(drain->status().records, 7u);
    EXPECT_EQ(ended_, 1);
    pollfd entry{worker.socket, POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 1000), 1) << "the worker sees the end of the connection";
}

TEST_F(DrainTest, MoreThanTheRingHoldsGoesThrough) {
    options_.segment_bytes = 1 << 20;
    ASSERT_TRUE(open().is_ok());
    FakeWorker worker(1, 0x100);
    auto drain = start(worker);
    SampleStream stream;
    std::vector<Lsn> commits;
    for (Lsn lsn = 0x1000; stream.bytes.size() < 8 * ring::kCapacityMin; lsn += 0x100) {
        stream.transaction(lsn, 300, lsn == 0x1000);
        commits.push_back(lsn);
    }
    ASSERT_TRUE(worker.produce(stream.view()));
    EXPECT_EQ(worker.acknowledged(commits.back() + 0x30), commits.back() + 0x30);
    EXPECT_EQ(read().commits(), commits);
    EXPECT_GT(segments().size(), 2u);
}

TEST_F(DrainTest, TakesWhatIsInTheRingWhenTheWorkerLeaves) {
    ASSERT_TRUE(open().is_ok());
    FakeWorker worker(1, 0x100);
    auto drain = start(worker);
    SampleStream stream;
    stream.transaction(0x1000, 3, true);
    stream.begin(0x2000);
    stream.insert(100, "unfinished");
    ASSERT_TRUE(worker.produce(stream.view()));
    worker.say_farewell("57P01", "the server is shutting down");
    worker.leave();
    ASSERT_TRUE(becomes(*drain, DrainPhase::ended));
    EXPECT_EQ(drain->status().end.kind(), StatusKind::retry);
    EXPECT_EQ(drain->status().end.text(), "the server is shutting down");
    EXPECT_EQ(drain->status().worker_sqlstate, "57P01");
    drain->stop();
    EXPECT_EQ(ended_, 1);

    // The next attachment voids the unfinished transaction and skips what is there.
    FakeWorker next(2, 0x100);
    drain = start(next);
    SampleStream again(2);
    again.transaction(0x1000, 3, true);
    ASSERT_TRUE(next.produce(again.view()));
    EXPECT_EQ(next.acknowledged(0x1030), 0x1030u) << "the worker recorded it, it is durable";
    again.clear();
    again.transaction(0x2000, 2);
    ASSERT_TRUE(next.produce(again.view()));
    EXPECT_EQ(next.acknowledged(0x2030), 0x2030u);
    drain->stop();
    const Seen seen = read();
    EXPECT_EQ(seen.aborts, 1);
    EXPECT_EQ(seen.commits(), (std::vector<Lsn>{0x1000, 0x2000}));
    EXPECT_EQ(drain->status().transactions_skipped, 1u);
}

TEST_F(DrainTest, PinsANewSubscriptionAtItsCommit) {
    ASSERT_TRUE(open().is_ok());
    FakeWorker worker(1, 0x100);
    auto drain = start(worker);
    SampleStream stream;
    stream.begin(0x1000);
    stream.message("pg_fanout.config", R"({"op":"add","id":7})");
    stream.commit();
    stream.transaction(0x2000, 4000, true);
    ASSERT_TRUE(worker.produce(stream.view()));
    stream.clear();
    stream.transaction(0x3000, 4000, true);
    ASSERT_TRUE(worker.produce(stream.view()));
    EXPECT_EQ(worker.acknowledged(0x3030), 0x3030u);
    journal_->trim();
    EXPECT_LE(journal_->first_lsn(), 0x1001u);
    stream.clear();
    stream.begin(0x4000);
    stream.message("pg_fanout.config", R"({"op":"drop","id":7})");
    stream.commit();
    ASSERT_TRUE(worker.produce(stream.view()));
    EXPECT_EQ(worker.acknowledged(0x4030), 0x4030u);
    drain->stop();
    ASSERT_EQ(news_.size(), 2u);
    EXPECT_EQ(news_[0].commit_lsn, 0x1000u);
    EXPECT_GT(journal_->trim().segments_removed, 0u);
}

TEST_F(DrainTest, CorruptBytesEndTheAttachmentAndNothingOfThemIsKept) {
    ASSERT_TRUE(open().is_ok());
    FakeWorker worker(1, 0x100);
    auto drain = start(worker);
    SampleStream stream;
    stream.transaction(0x1000, 1, true);
    ASSERT_TRUE(worker.produce(stream.view()));
    stream.clear();
    stream.transaction(0x2000, 1);
    stream.bytes.back() ^= 1;
    ASSERT_TRUE(worker.produce(stream.view()));
    ASSERT_TRUE(becomes(*drain, DrainPhase::ended));
    EXPECT_EQ(drain->status().end.kind(), StatusKind::corruption);
    EXPECT_NE(drain->status().end.text().find("checksum"), std::string::npos);
    EXPECT_EQ(journal_->end_lsn(), 0x1030u);
}

TEST_F(DrainTest, AnImpossibleHeadEndsTheAttachment) {
    ASSERT_TRUE(open().is_ok());
    FakeWorker worker(1, 0x100);
    auto drain = start(worker);
    worker.segment.header->head.store(5 * ring::kCapacityMin);
    worker.ring_bell();
    ASSERT_TRUE(becomes(*drain, DrainPhase::ended));
    EXPECT_EQ(drain->status().end.kind(), StatusKind::corruption);
}

TEST_F(DrainTest, AFullDiskHoldsTheRingAndGoesOn) {
    ASSERT_TRUE(open().is_ok());
    FakeWorker worker(1, 0x100);
    auto drain = start(worker);
    SampleStream stream;
    stream.transaction(0x1000, 1, true);
    ASSERT_TRUE(worker.produce(stream.view()));
    ASSERT_EQ(worker.acknowledged(0x1030), 0x1030u);
    files_->writes.sticky = true;
    files_->writes.countdown = 1;
    const auto tail = worker.segment.ack->tail.load();
    stream.clear();
    stream.transaction(0x2000, 5);
    ASSERT_TRUE(worker.produce(stream.view()));
    ASSERT_TRUE(becomes(*drain, DrainPhase::holding));
    EXPECT_NE(drain->status().reason.find("No space left"), std::string::npos);
    EXPECT_EQ(worker.segment.ack->tail.load(), tail);
    EXPECT_EQ(worker.segment.ack->durable_lsn.load(), 0x1030u);
    files_->writes.countdown = 0;
    EXPECT_EQ(worker.acknowledged(0x2030), 0x2030u);
    EXPECT_TRUE(becomes(*drain, DrainPhase::draining));
    EXPECT_EQ(read().commits(), (std::vector<Lsn>{0x1000, 0x2000}));
}

TEST_F(DrainTest, AtTheJournalsLimitItHoldsUntilALaneMoves) {
    options_.bytes_max = 512 << 10;
    ASSERT_TRUE(open().is_ok());
    FakeWorker worker(1, 0x100);
    auto drain = start(worker);
    journal_->want(1, 0x100);
    SampleStream stream;
    Lsn lsn = 0x1000;
    while (drain->status().phase != DrainPhase::holding) {
        stream.clear();
        stream.transaction(lsn, 200, lsn == 0x1000);
        if (!worker.produce(stream.view(), std::chrono::milliseconds(500))) break;
        lsn += 0x100;
    }
    ASSERT_TRUE(becomes(*drain, DrainPhase::holding));
    EXPECT_NE(drain->status().reason.find("limit"), std::string::npos);
    journal_->want(1, lsn);
    EXPECT_TRUE(becomes(*drain, DrainPhase::draining));
}

TEST_F(DrainTest, AFailedSyncEndsTheAttachment) {
    ASSERT_TRUE(open().is_ok());
    FakeWorker worker(1, 0x100);
    auto drain = start(worker);
    files_->syncs.sticky = true;
    files_->syncs.countdown = 1;
    SampleStream stream;
    stream.transaction(0x1000, 1, true);
    ASSERT_TRUE(worker.produce(stream.view()));
    ASSERT_TRUE(becomes(*drain, DrainPhase::ended));
    EXPECT_EQ(drain->status().end.kind(), StatusKind::io);
    EXPECT_EQ(worker.segment.ack->durable_lsn.load(), 0u);
}

}  // namespace
}  // namespace fanout::testing
