// What a crash, a bad disk or a wrong directory leave behind, and what opening makes of it.
#include <random>

#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

namespace fs = std::filesystem;

class RecoveryTest : public JournalFixture {
  protected:
    RecoveryTest() {
        // Three whole transactions; the last one is what a crash tears.
        SampleStream stream;
        stream.transaction(0x1000, 2, true);
        stream.transaction(0x2000, 2);
        last_begins_ = stream.bytes.size();
        stream.transaction(0x3000, 4);
        last_ends_ = stream.bytes.size();
        for (const std::size_t end : stream.ends) {
            if (end >= last_begins_) record_ends_.push_back(end);
        }
        open_and_attach();
        EXPECT_TRUE(append(stream).is_ok());
        journal_.reset();
        original_ = file_bytes(segments().at(0));
        original_.resize(data_start_ + last_ends_);
    }

    /// A journal of one segment with these bytes, opened.
    Status open_copy(const std::vector<std::uint8_t>& bytes) {
        journal_.reset();
        const auto copy = directory_.path() / "copy";
        fs::remove_all(copy);
        fs::create_directory(copy);
        write_file(copy / journal::segment_file_name(1), bytes);
        return open(copy);
    }

    /// Whatever was damaged behind the second transaction: the first two must be there, the third
    /// whole or void, and the journal must go on.
    void expect_prefix_and_goes_on() {
        const bool third = journal_->end_lsn() == 0x3030;
        ASSERT_TRUE(third || journal_->end_lsn() == 0x2030) << lsn_text(journal_->end_lsn());
        ASSERT_EQ(journal_->durable_end_lsn(), journal_->end_lsn());
        attach(2, journal_->end_lsn());
        SampleStream again(2);
        again.transaction(0x3000, 4, true);
        again.transaction(0x4000, 1);
        ASSERT_TRUE(append(again).is_ok());
        const Seen seen = read();
        ASSERT_EQ(seen.commits(), (std::vector<Lsn>{0x1000, 0x2000, 0x3000, 0x4000}));
        ASSERT_EQ(seen.transactions[2].values,
                  (std::vector<std::string>{"value 0", "value 1", "value 2", "value 3"}));
        ASSERT_EQ(walk_->transactions_skipped(), third ? 1u : 0u);
    }

    const std::size_t data_start_ = journal::kSegmentHeaderBytes;
    std::size_t last_begins_ = 0;
    std::size_t last_ends_ = 0;
    std::vector<std::size_t> record_ends_;
    std::vector<std::uint8_t> original_;
};

TEST_F(RecoveryTest, OpensWhatWasClosed) {
    ASSERT_TRUE(open_copy(original_).is_ok());
    EXPECT_EQ(journal_->recovery().segments, 1u);
    EXPECT_EQ(journal_->recovery().bytes_cut, 0u);
    EXPECT_EQ(journal_->recovery().cut_reason, "");
    EXPECT_FALSE(journal_->recovery().open_transaction);
    EXPECT_EQ(journal_->first_lsn(), 0x100u);
    EXPECT_EQ(journal_->end_lsn(), 0x3030u);
    expect_prefix_and_goes_on();
}

TEST_F(RecoveryTest, ATailCutAtEveryByteIsCutBackToWholeRecords) {
    for (std::size_t cut = last_begins_; cut < last_ends_; ++cut) {
        SCOPED_TRACE("cut at " + std::to_string(cut));
        std::vector<std::uint8_t> bytes(original_.begin(),
                                        original_.begin() + static_cast<long>(data_start_ + cut));
        if (cut % 2 == 0) bytes.resize(options_.segment_bytes, 0);  // as preallocated files are
        ASSERT_TRUE(open_copy(bytes).is_ok());
        const bool something_kept = cut >= record_ends_[1];
        // Zeros may complete a record whose last bytes are zeros anyway.
        if (cut % 2 != 0) {
            ASSERT_EQ(journal_->recovery().open_transaction, something_kept);
        }
        expect_prefix_and_goes_on();
        if (HasFatalFailure()) return;
        ASSERT_EQ(read().aborts, journal_->recovery().open_transaction ? 1 : 0);
    }
}

TEST_F(RecoveryTest, EveryFlippedByteOfTheTailIsFound) {
    for (std::size_t at = last_begins_; at < last_ends_; ++at) {
        SCOPED_TRACE("flip at " + std::to_string(at));
        auto bytes = original_;
        bytes[data_start_ + at] ^= static_cast<std::uint8_t>(1U << (at % 8));
        ASSERT_TRUE(open_copy(bytes).is_ok());
        ASSERT_NE(journal_->recovery().cut_reason, "");
        expect_prefix_and_goes_on();
        if (HasFatalFailure()) return;
    }
}

TEST_F(RecoveryTest, JunkBehindTheEndIsCutAndCounted) {
    std::mt19937 random(7);
    for (int round = 0; round < 100; ++round) {
        auto bytes = original_;
        for (int i = 0; i < 700; ++i)
            bytes.push_back(static_cast<std::uint8_t>(random() | 1));
        ASSERT_TRUE(open_copy(bytes).is_ok());
        EXPECT_EQ(journal_->recovery().bytes_cut, 700u);
        EXPECT_EQ(journal_->end_lsn(), 0x3030u);
    }
}

TEST_F(RecoveryTest, EveryFlippedByteOfTheHeaderIsRefused) {
    for (std::size_t at = 0; at < sizeof(journal::SegmentHeader); ++at) {
        // The mark is not part of the checksum: a flip unsets it, which only costs a longer scan.
        const auto mark = offsetof(journal::SegmentHeader, predecessor_durable);
        if (at >= mark && at < mark + 8) continue;
        auto bytes = original_;
        bytes[at] ^= 0x40;
        const auto status = open_copy(bytes);
        ASSERT_FALSE(status.is_ok()) << at;
        ASSERT_TRUE(status.kind() == StatusKind::corruption || status.kind() == StatusKind::fatal);
    }
}

TEST_F(RecoveryTest, AFileThatWasNeverWrittenIsNoSegment) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{1 << 16}}) {
        ASSERT_TRUE(open_copy(std::vector<std::uint8_t>(size, 0)).is_ok());
        EXPECT_EQ(journal_->first_lsn(), 0u);
        attach(1, 0x700);
        EXPECT_EQ(journal_->first_lsn(), 0x700u);
    }
}

TEST_F(RecoveryTest, AnotherSourceIsRefusedWithBothNamed) {
    const auto refuse = [&](const journal::SourceIdentity& other) {
        const auto opened = journal::Journal::open(path(), other, options_);
        ASSERT_FALSE(opened.is_ok());
        EXPECT_EQ(opened.status().kind(), StatusKind::fatal);
        const auto text = opened.status().text();
        EXPECT_NE(text.find(sample_identity().stream_identity), std::string::npos) << text;
        EXPECT_NE(text.find(other.stream_identity), std::string::npos) << text;
        EXPECT_NE(text.find(other.system_identifier), std::string::npos) << text;
    };
    auto other = sample_identity();
    other.system_identifier = "7999";
    refuse(other);
    other = sample_identity();
    other.database_oid = 5;
    refuse(other);
    other = sample_identity();
    other.stream_identity = "another";
    refuse(other);
    other = sample_identity();
    other.generation = 2;
    refuse(other);
}

TEST_F(RecoveryTest, AGapBetweenJournalAndSourceIsRefused) {
    ASSERT_TRUE(open_copy(original_).is_ok());
    const auto status = journal_->begin_attachment(0x3031, 2);
    EXPECT_EQ(status.kind(), StatusKind::fatal);
    EXPECT_NE(status.text().find("0/3031"), std::string::npos) << status.text();
    EXPECT_NE(status.text().find("0/3030"), std::string::npos) << status.text();
}

/// Several segments; `damage` gets their paths.
class SegmentsTest : public JournalFixture {
  protected:
    std::vector<Lsn> commits_;

    void fill(int transactions = 400) {
        open_and_attach();
        for (int i = 0; i < transactions; ++i) {
            SampleStream stream;
            commits_.push_back(0x1000 + static_cast<Lsn>(i) * 0x100);
            stream.transaction(commits_.back(), 20, i == 0);
            ASSERT_TRUE(append(stream).is_ok());
            // Each segment is synced before the next one begins, as it is in practice.
            if (i % 10 == 0) {
                ASSERT_TRUE(journal_->sync_now().is_ok());
            }
        }
        journal_.reset();
        ASSERT_GT(segments().size(), 4u);
    }
    void flip(const fs::path& file, std::size_t at) {
        auto bytes = file_bytes(file);
        bytes.at(at) ^= 0x10;
        write_file(file, bytes);
    }
};

TEST_F(SegmentsTest, DamageInAnOldSegmentIsRefusedByTheReaderWithFileAndOffset) {
    fill();
    const auto damaged = segments().at(1);
    flip(damaged, journal::kSegmentHeaderBytes + 20'000);
    ASSERT_TRUE(open().is_ok());
    auto reader = journal_->new_reader();
    ASSERT_TRUE(reader->seek(0x100));
    const Seen seen = read_all(*reader);
    EXPECT_EQ(seen.last, journal::ReadOutcome::failed);
    EXPECT_EQ(reader->status().kind(), StatusKind::corruption);
    EXPECT_NE(reader->status().text().find(damaged.string()), std::string::npos);
    EXPECT_NE(reader->status().text().find("offset"), std::string::npos);
    ASSERT_LT(seen.transactions.size(), commits_.size());
    for (const auto& transaction : seen.transactions) {
        ASSERT_EQ(transaction.values.at(19), "value 19");
    }
    EXPECT_EQ(reader->wait(std::chrono::seconds(1)), journal::WakeReason::data);
    // A lane behind the damage is not touched by it.
    EXPECT_EQ(read(commits_.back()).commits(), std::vector<Lsn>{commits_.back()});
}

TEST_F(SegmentsTest, AnOldSegmentThatIsShorterOrMissingIsRefusedAtOpen) {
    fill();
    const auto file = segments().at(1);
    const auto bytes = file_bytes(file);
    fs::resize_file(file, bytes.size() - 8);
    auto status = open();
    EXPECT_EQ(status.kind(), StatusKind::corruption);
    EXPECT_NE(status.text().find(file.string()), std::string::npos) << status.text();
    fs::remove(file);
    status = open();
    EXPECT_EQ(status.kind(), StatusKind::corruption);
    EXPECT_NE(status.text().find("missing"), std::string::npos) << status.text();
    write_file(file, bytes);
    EXPECT_TRUE(open().is_ok());
}

TEST_F(SegmentsTest, ATornLastSegmentCostsOnlyItself) {
    fill();
    const auto last = segments().back();
    journal::SegmentHeader header;
    std::memcpy(&header, file_bytes(last).data(), sizeof header);
    fs::resize_file(last, journal::kSegmentHeaderBytes + header.preamble_bytes);
    ASSERT_TRUE(open().is_ok());
    const Lsn end = journal_->end_lsn();
    ASSERT_LT(end, commits_.back());
    attach(2, end);
    SampleStream again(2);
    for (const Lsn commit : commits_) {
        if (commit >= end) again.transaction(commit, 20);
    }
    ASSERT_TRUE(append(again).is_ok());
    EXPECT_EQ(read().commits(), commits_);
}

TEST_F(SegmentsTest, ASegmentThatWasNotKnownToBeDurableMayBeTornWithAllBehindIt) {
    fill();
    auto files = segments();
    // As if the power failed before the last roll's predecessor was synced.
    for (std::size_t i = files.size() - 1; i >= files.size() - 2; --i) {
        auto bytes = file_bytes(files[i]);
        const auto mark = offsetof(journal::SegmentHeader, predecessor_durable);
        for (std::size_t at = mark; at < mark + 8; ++at)
            bytes[at] = 0;
        write_file(files[i], bytes);
    }
    flip(files[files.size() - 3], journal::kSegmentHeaderBytes + 30'000);
    ASSERT_TRUE(open().is_ok()) << open().text();
    EXPECT_EQ(segments().size(), files.size() - 2);
    EXPECT_GT(journal_->recovery().bytes_cut, 2 * options_.segment_bytes);
    const Lsn end = journal_->end_lsn();
    attach(2, end);
    SampleStream again(2);
    for (const Lsn commit : commits_) {
        if (commit >= end) again.transaction(commit, 20, commit == end);
    }
    ASSERT_TRUE(append(again).is_ok());
    EXPECT_EQ(read().commits(), commits_);
    ASSERT_TRUE(open().is_ok());
    EXPECT_EQ(read().commits(), commits_);
}

TEST_F(SegmentsTest, ATransactionLargerThanSegmentsIsVoidedWhole) {
    open_and_attach();
    SampleStream stream;
    stream.transaction(0x1000, 1, true);
    stream.begin(0x2000);
    for (int i = 0; i < 9000; ++i)
        stream.insert(100, std::string(50, 'x'));
    ASSERT_TRUE(append(stream).is_ok());
    stream.clear();
    for (int i = 0; i < 3000; ++i)
        stream.insert(100, std::string(50, 'y'));
    ASSERT_TRUE(append(stream).is_ok());
    ASSERT_GT(segments().size(), 1u);
    ASSERT_TRUE(open().is_ok());
    EXPECT_TRUE(journal_->recovery().open_transaction);
    EXPECT_EQ(journal_->end_lsn(), 0x1030u);
    attach(2, 0x1030);
    SampleStream again(2);
    again.transaction(0x2000, 3, true);
    ASSERT_TRUE(append(again).is_ok());
    const Seen seen = read();
    EXPECT_EQ(seen.aborts, 1);
    EXPECT_EQ(seen.commits(), (std::vector<Lsn>{0x1000, 0x2000}));
    EXPECT_EQ(seen.transactions[1].values.size(), 3u);
    EXPECT_EQ(read(0x2000).commits(), std::vector<Lsn>{0x2000});
}

TEST_F(SegmentsTest, AnAbortAlsoEndsAMessageThatCameInPieces) {
    open_and_attach();
    SampleStream stream;
    stream.message_outside(0x1000, "app", std::string(50'000, 'm'));
    stream.cut_last_into_pieces(8'000);
    ASSERT_TRUE(append(stream.view().first(stream.ends[3])).is_ok());
    ASSERT_TRUE(open().is_ok());
    EXPECT_TRUE(journal_->recovery().open_transaction);
    attach(2, 0x100);
    SampleStream again(2);
    again.transaction(0x2000, 1, true);
    ASSERT_TRUE(append(again).is_ok());
    const Seen seen = read();
    EXPECT_EQ(seen.aborts, 0) << "the lane has seen nothing of it";
    EXPECT_EQ(seen.commits(), std::vector<Lsn>{0x2000});
}

}  // namespace
}  // namespace fanout::testing
