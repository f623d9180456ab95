// Q: where sequences stand, for connectors with FANOUT_CAP_SEQUENCES.
#include <deque>
#include <string_view>

#include "tests/contract/contract_fixture.hpp"

namespace fanout::contract {
namespace {

class SequenceTest : public TargetTest {
  protected:
    void SetUp() override {
        TargetTest::SetUp();
        if (!has(FANOUT_CAP_SEQUENCES)) GTEST_SKIP() << "the connector takes no sequences";
    }

    /// What the target's sequence gives next, after the source's was told in a transaction.
    std::int64_t next_after(Instance& instance, std::int64_t last_value, bool is_called,
                            std::int64_t increment = 1, std::string_view name = "counted",
                            std::string_view schema = "public") {
        fanout_sequence& told = told_.emplace_back();
        told.schema = {schema.data(), schema.size()};
        told.name = {name.data(), name.size()};
        told.last_value = last_value;
        told.increment = increment;
        told.is_called = is_called ? 1 : 0;
        fanout_change& change = changes_.emplace_back();
        change.op = FANOUT_SEQUENCE;
        change.index = 1;
        change.sequence = &told;
        lsn_ += 0x100;
        fanout_transaction transaction{};
        transaction.commit_lsn = lsn_;
        transaction.end_lsn = lsn_ + 0x30;
        transaction.xid = 900;
        transaction.begins = transaction.ends = 1;
        transaction.changes = &change;
        transaction.change_count = 1;
        EXPECT_TRUE(ok(instance.write({transaction})));
        EXPECT_TRUE(ok(instance.flush({transaction.commit_lsn, transaction.end_lsn, 0})));
        return suite().hook.next_of_sequence(directory_);
    }

    std::deque<fanout_sequence> told_;
    std::deque<fanout_change> changes_;
    std::uint64_t lsn_ = 0x3'0000'0000;
};

TEST_F(SequenceTest, gives_first_what_the_source_has_not_given) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    EXPECT_EQ(suite().hook.next_of_sequence(directory_), 1);
    EXPECT_EQ(next_after(*instance, 1, false), 1);
    EXPECT_EQ(next_after(*instance, 1, true), 2);
    EXPECT_EQ(next_after(*instance, 40, false), 40);
    EXPECT_EQ(next_after(*instance, 40, true), 41);
}

TEST_F(SequenceTest, never_goes_back_and_passes_over_what_is_not_there) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    EXPECT_EQ(suite().hook.next_of_sequence(directory_), 1);
    EXPECT_EQ(next_after(*instance, 99, true), 100);
    EXPECT_EQ(next_after(*instance, 99, true), 100);
    EXPECT_EQ(next_after(*instance, 50, true), 100);
    EXPECT_EQ(next_after(*instance, 100, false), 100);
    EXPECT_EQ(next_after(*instance, 700, true, 1, "not there"), 100);
    EXPECT_EQ(next_after(*instance, 700, true, 1, "counted", "elsewhere"), 100);
}

// One whose value has not been given yet does not stand a step further on.
TEST_F(SequenceTest, a_step_that_was_not_taken_is_not_counted) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    EXPECT_EQ(suite().hook.next_of_sequence(directory_), 1);
    EXPECT_EQ(next_after(*instance, 40, false, 10), 40);
    EXPECT_EQ(next_after(*instance, 35, false, 10), 40);
}

TEST_F(SequenceTest, backwards_is_ahead_for_those_that_count_down) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    EXPECT_EQ(suite().hook.next_of_sequence(directory_), 1);
    EXPECT_EQ(next_after(*instance, 40, false), 40);
    EXPECT_EQ(next_after(*instance, 50, false, -1), 40);
    EXPECT_EQ(next_after(*instance, 41, true, -1), 40);
    EXPECT_EQ(next_after(*instance, 30, false, -1), 30);
}

}  // namespace
}  // namespace fanout::contract
