// X: what a connector promises that keeps the cursor in the target.
#include "tests/contract/contract_fixture.hpp"

namespace fanout::contract {
namespace {

bool same(const fanout_cursor& a, const fanout_cursor& b) {
    return a.commit_lsn == b.commit_lsn && a.end_lsn == b.end_lsn && a.commit_time == b.commit_time;
}

TEST_F(ExactlyOnceTest, a_new_target_has_a_cursor_of_zero) {
    const auto instance = make();
    fanout_cursor cursor{1, 1, 1};
    CONTRACT_ASSERT_OK(instance->open({}, &cursor));
    EXPECT_EQ(cursor.commit_lsn, 0U);
    EXPECT_EQ(cursor.end_lsn, 0U);
}

TEST_F(ExactlyOnceTest, what_was_not_flushed_is_gone_after_close) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    const auto first = shop_.random();
    const auto kept = expected();
    CONTRACT_ASSERT_OK(instance->write({first->whole()}));
    CONTRACT_ASSERT_OK(instance->flush(first->cursor()));
    for (int i = 0; i < 20; ++i)
        CONTRACT_ASSERT_OK(instance->write({shop_.random()->whole()}));
    instance->close();
    EXPECT_EQ(content(), kept);
    fanout_cursor cursor{};
    CONTRACT_ASSERT_OK(instance->open({}, &cursor));
    EXPECT_TRUE(same(cursor, first->cursor()));
}

TEST_F(ExactlyOnceTest, a_flush_survives_a_host_that_dies_without_close) {
    auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    const auto first = shop_.random();
    const auto kept = expected();
    CONTRACT_ASSERT_OK(instance->write({first->whole()}));
    CONTRACT_ASSERT_OK(instance->flush(first->cursor()));
    const auto second = shop_.random();
    CONTRACT_ASSERT_OK(instance->write({second->whole()}));
    instance->destroy();

    instance = make();
    fanout_cursor cursor{};
    CONTRACT_ASSERT_OK(instance->open({}, &cursor));
    EXPECT_TRUE(same(cursor, first->cursor()));
    EXPECT_EQ(content(), kept);
    CONTRACT_ASSERT_OK(instance->write({second->whole()}));
    CONTRACT_ASSERT_OK(instance->flush(second->cursor()));
    EXPECT_EQ(content(), expected());
}

TEST_F(ExactlyOnceTest, a_flush_without_changes_moves_the_cursor) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    const auto transaction = shop_.random();
    const fanout_cursor later = transaction->cursor();
    CONTRACT_ASSERT_OK(instance->flush(later));
    instance->close();
    fanout_cursor cursor{};
    CONTRACT_ASSERT_OK(instance->open({}, &cursor));
    EXPECT_TRUE(same(cursor, later));
}

TEST_F(ExactlyOnceTest, half_of_a_large_transaction_is_gone_after_close) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    for (int i = 0; i < 20'000; ++i)
        shop_.insert(Table::items, {i, "large", i, std::string(50, 'p')});
    const auto large = shop_.commit();
    CONTRACT_ASSERT_OK(instance->write({large->part(0, 10'000)}));
    instance->close();
    EXPECT_EQ(content(), std::vector<std::string>());
    fanout_cursor cursor{};
    CONTRACT_ASSERT_OK(instance->open({}, &cursor));
    EXPECT_EQ(cursor.commit_lsn, 0U);
    CONTRACT_ASSERT_OK(instance->write({large->part(0, 10'000)}));
    CONTRACT_ASSERT_OK(instance->write({large->part(10'000, 10'000)}));
    CONTRACT_ASSERT_OK(instance->flush(large->cursor()));
    EXPECT_EQ(content(), expected());
}

TEST_F(ExactlyOnceTest, an_older_writer_is_fenced_and_changes_nothing) {
    const auto older = make(), newer = make();
    Session old_session, new_session;
    old_session.epoch = 5;
    new_session.epoch = 6;
    CONTRACT_ASSERT_OK(older->open(old_session));
    const auto first = shop_.random();
    CONTRACT_ASSERT_OK(older->write({first->whole()}));
    CONTRACT_ASSERT_OK(older->flush(first->cursor()));
    const auto kept = expected();

    fanout_cursor cursor{};
    Outcome taken = newer->open(new_session, &cursor);
    ASSERT_TRUE(taken.code == FANOUT_OK || taken.code == FANOUT_RETRY) << taken.message;
    const auto second = shop_.random();
    Outcome late = older->write({second->whole()});
    if (late.code == FANOUT_OK) late = older->flush(second->cursor());
    EXPECT_EQ(late.code, FANOUT_FENCED) << late.message;
    older->close();
    if (taken.code == FANOUT_RETRY) taken = newer->open(new_session, &cursor);
    CONTRACT_ASSERT_OK(taken);
    EXPECT_TRUE(same(cursor, first->cursor()));
    EXPECT_EQ(content(), kept);

    EXPECT_EQ(older->open(old_session).code, FANOUT_FENCED);
    older->close();
    CONTRACT_ASSERT_OK(newer->write({second->whole()}));
    CONTRACT_ASSERT_OK(newer->flush(second->cursor()));
    newer->close();
    EXPECT_EQ(older->open(old_session).code, FANOUT_FENCED);
    EXPECT_EQ(content(), expected());
}

TEST_F(ExactlyOnceTest, the_same_epoch_may_come_back) {
    const auto instance = make();
    Session session;
    session.epoch = 7;
    CONTRACT_ASSERT_OK(instance->open(session));
    instance->close();
    CONTRACT_ASSERT_OK(instance->open(session));
}

TEST_F(ExactlyOnceTest, another_subscription_or_stream_never_inherits_the_cursor) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    const auto first = shop_.random();
    CONTRACT_ASSERT_OK(instance->write({first->whole()}));
    CONTRACT_ASSERT_OK(instance->flush(first->cursor()));
    instance->close();
    Session other_name, other_stream;
    other_name.subscription = "another";
    other_stream.stream_identity = "ffffffff-0000-0000-0000-000000000001";
    for (const Session& other : {other_name, other_stream}) {
        fanout_cursor cursor{};
        const Outcome outcome = instance->open(other, &cursor);
        if (outcome.code == FANOUT_OK)
            EXPECT_EQ(cursor.commit_lsn, 0U);
        else
            EXPECT_TRUE(refused(outcome));
        instance->close();
    }
    fanout_cursor cursor{};
    CONTRACT_ASSERT_OK(instance->open({}, &cursor));
    EXPECT_TRUE(same(cursor, first->cursor()));
}

}  // namespace
}  // namespace fanout::contract
