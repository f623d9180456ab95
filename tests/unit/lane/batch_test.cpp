// Extents of transactions while the batch is taken apart piece by piece.
#include <gtest/gtest.h>

#include "sidecar/lane/batch_builder.hpp"

namespace fanout::testing {
namespace {

using lane::Batch;
using lane::BatchBuilder;

fanout_change change(std::uint64_t index) {
    fanout_change made{};
    made.op = FANOUT_INSERT;
    made.index = index;
    return made;
}

void add(BatchBuilder& batch, int changes, std::uint64_t first_record = 1) {
    for (int i = 1; i <= changes; ++i)
        batch.add(change(static_cast<std::uint64_t>(i)), 100,
                  first_record + static_cast<std::uint64_t>(i) - 1);
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
    add(batch, 3, 7);
    const Batch complete = batch.take_complete();
    ASSERT_EQ(complete.view().transaction_count, 1u);
    EXPECT_EQ(complete.view().change_count, 2u);
    EXPECT_EQ(complete.first_record, 1u);
    EXPECT_FALSE(batch.empty());
    EXPECT_EQ(batch.first_record(99), 7u);
    EXPECT_EQ(batch.bytes(), 300u);
    batch.commit();
    const Batch next = batch.take_complete();
    ASSERT_EQ(next.view().transaction_count, 1u);
    EXPECT_EQ(next.view().transactions[0].commit_lsn, 30u);
    EXPECT_EQ(next.view().transactions[0].change_count, 3u);
    EXPECT_EQ(next.view().transactions[0].changes[0].index, 1u);
    EXPECT_EQ(batch.first_record(99), 99u);
    EXPECT_EQ(batch.bytes(), 0u);
}

TEST(BatchBuilder, ValuesOfAnOpenTransactionOutliveTheBatchTheyBeganIn) {
    BatchBuilder batch;
    const auto value = [&](std::uint32_t size) {
        auto* made = batch.arena().make<fanout_value>(1);
        *made = {nullptr, size, FANOUT_NULL};
        fanout_change with = change(size);
        with.after = made;
        return with;
    };
    batch.begin(10, 20, 0, 1);
    batch.add(value(1), 100, 1);
    batch.commit();
    batch.begin(30, 40, 0, 2);
    batch.add(value(2), 100, 2);
    const auto open_bytes = batch.bytes() / 2;
    batch.recycle(batch.take_complete());
    EXPECT_EQ(batch.bytes(), open_bytes);
    batch.add(value(3), 100, 3);
    batch.commit();
    for (int again = 0; again < 3; ++again) {
        // What is handed over stays as it is while the memory of others is used again.
        Batch kept = batch.take_complete();
        batch.begin(50, 60, 0, 3);
        batch.add(value(7), 100, 4);
        ASSERT_EQ(kept.view().change_count, again == 0 ? 2u : 1u);
        for (const auto& with : kept.changes)
            EXPECT_EQ(with.after->size, with.index);
        batch.commit();
        batch.recycle(std::move(kept));
    }
}

TEST(BatchBuilder, PartsOfATransactionKnowTheirPlace) {
    BatchBuilder batch;
    batch.begin(10, 20, 0, 1);
    add(batch, 2);
    Batch part = batch.take_open_part();
    EXPECT_EQ(part.view().transactions[0].begins, 1);
    EXPECT_EQ(part.view().transactions[0].ends, 0);
    EXPECT_EQ(part.view().change_count, 2u);
    EXPECT_TRUE(batch.empty());
    EXPECT_TRUE(batch.open_part_written());
    batch.commit();
    part = batch.take_complete();
    ASSERT_EQ(part.view().transaction_count, 1u) << "the end has to be told even without changes";
    EXPECT_EQ(part.view().transactions[0].begins, 0);
    EXPECT_EQ(part.view().transactions[0].ends, 1);
    EXPECT_EQ(part.view().transactions[0].change_count, 0u);
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
    EXPECT_EQ(batch.take_complete().view().change_count, 2u);
}

}  // namespace
}  // namespace fanout::testing
