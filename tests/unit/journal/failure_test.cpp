// A full disk and a failing sync.
#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

class FailureTest : public JournalFixture {
  protected:
    static constexpr int kTransactions = 60;

    /// Appends transactions one by one; what fails is tried again, as a held drain does.
    int append_all_with_retries(std::vector<Lsn>& commits) {
        int failures = 0;
        for (int i = 0; i < kTransactions; ++i) {
            SampleStream stream;
            commits.push_back(0x1000 + static_cast<Lsn>(i) * 0x100);
            stream.transaction(commits.back(), 60, i == 0);
            EXPECT_TRUE(walk_->plan(stream.view(), journal_->state(), false));
            while (!journal_->prepare_append().is_ok())
                ++failures;
            while (!journal_->append(walk_->append()).is_ok())
                ++failures;
        }
        return failures;
    }
};

TEST_F(FailureTest, AFullDiskAtAnyWriteStopsAndGoesOn) {
    open_and_attach();
    std::vector<Lsn> commits;
    append_all_with_retries(commits);
    const int writes = files_->writes.calls;
    ASSERT_GT(writes, kTransactions);
    for (int nth = 1; nth <= writes; ++nth) {
        SCOPED_TRACE("write " + std::to_string(nth));
        journal_.reset();
        std::filesystem::remove_all(path());
        open_and_attach();
        files_->writes.countdown = nth;
        files_->writes_half = nth % 2 == 0;
        commits.clear();
        append_all_with_retries(commits);
        files_->writes.countdown = 0;
        // The marks are written by the sync thread: failing there is final, and tested below.
        if (!journal_->failure().is_ok()) continue;
        ASSERT_EQ(read().commits(), commits);
        ASSERT_TRUE(open().is_ok());
        ASSERT_EQ(journal_->recovery().bytes_cut, 0u);
        ASSERT_EQ(read().commits(), commits);
    }
}

TEST_F(FailureTest, NoRoomForANewSegmentIsSaidAndChangesNothing) {
    open_and_attach();
    for (auto* fault : {&files_->creates, &files_->allocates}) {
        fault->sticky = true;
        fault->countdown = 1;
        SampleStream stream;
        Lsn lsn = journal_->end_lsn() + 0x100;
        Status status;
        while ((status = journal_->prepare_append()).is_ok()) {
            stream.clear();
            stream.transaction(lsn += 0x100, 100, true);
            ASSERT_TRUE(walk_->plan(stream.view(), journal_->state(), false));
            ASSERT_TRUE(journal_->append(walk_->append()).is_ok());
        }
        EXPECT_EQ(status.kind(), StatusKind::io);
        EXPECT_NE(status.text().find("No space left on device"), std::string::npos);
        EXPECT_NE(status.text().find("make room"), std::string::npos);
        const auto files_before = segments().size();
        EXPECT_FALSE(journal_->prepare_append().is_ok());
        EXPECT_EQ(segments().size(), files_before) << "no half-made segment stays";
        fault->countdown = 0;
        EXPECT_TRUE(journal_->prepare_append().is_ok());
        EXPECT_EQ(segments().size(), files_before + 1);
    }
}

TEST_F(FailureTest, WhatAFailedAppendLeftIsNeverTakenForRecords) {
    open_and_attach();
    SampleStream stream;
    stream.transaction(0x1000, 3, true);
    ASSERT_TRUE(append(stream).is_ok());
    // An append that wrote half of its bytes; then the attachment ends, and a new one begins.
    SampleStream lost;
    lost.transaction(0x2000, 50);
    lost.transaction(0x3000, 50);
    files_->writes.countdown = 1;
    files_->writes_half = true;
    ASSERT_FALSE(append(lost).is_ok());
    ASSERT_TRUE(open().is_ok());
    EXPECT_EQ(journal_->recovery().bytes_cut, 0u) << "it was cut when it failed";
    EXPECT_EQ(journal_->end_lsn(), 0x1030u);
}

TEST_F(FailureTest, AFailedSyncIsFinalAndTheTailIsGivenUp) {
    open_and_attach();
    SampleStream stream;
    stream.transaction(0x1000, 3, true);
    ASSERT_TRUE(append(stream).is_ok());
    ASSERT_TRUE(journal_->sync_now().is_ok());
    std::atomic<int> told{0};
    journal_->set_durable_listener([&](Lsn) { ++told; });
    files_->syncs.countdown = 1;  // only once: a second call would succeed
    stream.clear();
    stream.transaction(0x2000, 3);
    ASSERT_TRUE(append(stream).is_ok());
    const auto status = journal_->sync_now();
    EXPECT_EQ(status.kind(), StatusKind::io);
    EXPECT_NE(status.text().find("Input/output error"), std::string::npos) << status.text();
    EXPECT_EQ(journal_->failure().kind(), StatusKind::io);
    stream.clear();
    stream.transaction(0x3000, 3);
    ASSERT_TRUE(append(stream).is_ok());
    EXPECT_FALSE(journal_->sync_now().is_ok());
    EXPECT_EQ(journal_->durable_end_lsn(), 0x1030u);
    EXPECT_EQ(journal_->end_lsn(), 0x3030u);
    EXPECT_GE(told, 1) << "who waits for durability has to hear of the failure";
    journal_->set_durable_listener(nullptr);
    ASSERT_TRUE(journal_->discard_unsynced().is_ok());
    ASSERT_TRUE(open().is_ok());
    EXPECT_EQ(journal_->end_lsn(), 0x1030u);
    EXPECT_EQ(read().commits(), std::vector<Lsn>{0x1000});
}

TEST_F(FailureTest, GivingUpTheTailRemovesWholeSegmentsToo) {
    open_and_attach();
    SampleStream stream;
    stream.transaction(0x1000, 3, true);
    ASSERT_TRUE(append(stream).is_ok());
    ASSERT_TRUE(journal_->sync_now().is_ok());
    files_->syncs.sticky = true;
    files_->syncs.countdown = 1;
    for (Lsn lsn = 0x2000; segments().size() < 4; lsn += 0x100) {
        stream.clear();
        stream.transaction(lsn, 50);
        ASSERT_TRUE(append(stream).is_ok());
    }
    EXPECT_FALSE(journal_->sync_now().is_ok());
    ASSERT_TRUE(journal_->discard_unsynced().is_ok());
    EXPECT_EQ(segments().size(), 1u);
    files_->syncs.countdown = 0;
    ASSERT_TRUE(open().is_ok());
    EXPECT_EQ(journal_->end_lsn(), 0x1030u);
}

TEST_F(FailureTest, AReadOnlyDirectoryIsNamed) {
    const auto opened = journal::Journal::open("/proc/fanout-journal", sample_identity(), options_);
    ASSERT_FALSE(opened.is_ok());
    EXPECT_NE(opened.status().text().find("/proc/fanout-journal"), std::string::npos);
}

}  // namespace
}  // namespace fanout::testing
