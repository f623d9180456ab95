// Extents of transactions while the batch is taken apart piece by piece.
#include <gtest/gtest.h>

#include "sidecar/lane/batch_builder.hpp"

namespace fanout::testing {
namespace {

using lane::BatchBuilder;

fanout_change change(std::uint64_t index) {
    fanout_change made{};
    made.op = FANOUT_INSERT;
    made.index = index;
    return made;
}

void add(BatchBuilder& batch, int changes) {
    for (int i = 1; i <= changes; ++i)
        batch.add(change(static_cast<std::uint64_t>(i)), 100);
}

TEST(BatchBuilder, ATransactionWithoutChangesLeavesNoTrace) {
    BatchBuilder batch;
    batch.begin(10, 20, 0, 1);
    batch.commit();
    EXPECT_FALSE(batch.has_complete());
    EXPECT_TRUE(batch.empty());
}

TEST(BatchBuilder, TheOpenTransactionStaysWhenTheCompleteOnesGo) {
    BatchBuilder batch;
    batch.begin(10, 20, 0, 1);
    add(batch, 2);
    batch.commit();
    batch.begin(30, 40, 0, 2);
    add(batch, 3);
    const auto complete = batch.complete_batch();
    ASSERT_EQ(complete.transaction_count, 1u);
    EXPECT_EQ(complete.change_count, 2u);
    batch.release_complete();
    EXPECT_FALSE(batch.empty());
    batch.commit();
    const auto next = batch.complete_batch();
    ASSERT_EQ(next.transaction_count, 1u);
    EXPECT_EQ(next.transactions[0].commit_lsn, 30u);
    EXPECT_EQ(next.transactions[0].change_count, 3u);
    EXPECT_EQ(next.transactions[0].changes[0].index, 1u);
}

TEST(BatchBuilder, PartsOfATransactionKnowTheirPlace) {
    BatchBuilder batch;
    batch.begin(10, 20, 0, 1);
    add(batch, 2);
    auto part = batch.open_batch();
    EXPECT_EQ(part.transactions[0].begins, 1);
    EXPECT_EQ(part.transactions[0].ends, 0);
    batch.release_open_part();
    EXPECT_TRUE(batch.empty());
    EXPECT_TRUE(batch.open_part_written());
    batch.commit();
    part = batch.complete_batch();
    ASSERT_EQ(part.transaction_count, 1u) << "the end has to be told even without changes";
    EXPECT_EQ(part.transactions[0].begins, 0);
    EXPECT_EQ(part.transactions[0].ends, 1);
    EXPECT_EQ(part.transactions[0].change_count, 0u);
}

TEST(BatchBuilder, DroppingTheOpenTransactionKeepsTheCompleteOnes) {
    BatchBuilder batch;
    batch.begin(10, 20, 0, 1);
    add(batch, 2);
    batch.commit();
    batch.begin(30, 40, 0, 2);
    add(batch, 5);
    batch.drop_open();
    EXPECT_EQ(batch.rows(), 2u);
    EXPECT_EQ(batch.complete_batch().change_count, 2u);
}

}  // namespace
}  // namespace fanout::testing
