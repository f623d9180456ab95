// C: the calls in their order, and every kind of change, for any promise.
#include <atomic>
#include <chrono>
#include <thread>

#include "tests/contract/contract_fixture.hpp"

namespace fanout::contract {
namespace {

using namespace std::chrono_literals;

class DeliveryTest : public TargetTest {
  protected:
    /// Commits what the shop holds open, delivers it, and compares.
    void deliver(Instance& instance) {
        const auto transaction = shop_.commit();
        CONTRACT_ASSERT_OK(instance.write({transaction->whole()}));
        CONTRACT_ASSERT_OK(instance.flush(transaction->cursor()));
        ASSERT_EQ(content(), expected());
    }
};

TEST_F(DeliveryTest, refuses_bad_options_with_a_hint) {
    for (const OptionValues& bad : suite().hook.bad_options(directory_)) {
        SCOPED_TRACE(bad.empty() ? "" : bad.begin()->first + "=" + bad.begin()->second);
        Instance instance(connector_, bad, directory_);
        Outcome outcome = instance.created();
        if (outcome.code == FANOUT_OK) outcome = instance.test();
        EXPECT_TRUE(refused(outcome));
        if (instance.created().code != FANOUT_OK) continue;
        EXPECT_NE(instance.open({}).code, FANOUT_OK);
        instance.close();
    }
}

TEST_F(DeliveryTest, test_leaves_no_trace) {
    const std::string before = suite().hook.trace(directory_);
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->test());
    instance->destroy();
    EXPECT_EQ(suite().hook.trace(directory_), before);
}

TEST_F(DeliveryTest, test_works_beside_an_open_instance) {
    const auto instance = make(), second = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    EXPECT_TRUE(ok(second->test()));
    shop_.begin();
    shop_.insert(Table::items, {1, "a", 1, "x"});
    deliver(*instance);
    EXPECT_TRUE(ok(second->test()));
}

TEST_F(DeliveryTest, opens_again_after_close) {
    const auto instance = make();
    for (int round = 0; round < 3; ++round) {
        CONTRACT_ASSERT_OK(instance->open({}));
        shop_.begin();
        shop_.insert(Table::items, {round, "a", round, "x"});
        deliver(*instance);
        instance->close();
    }
}

TEST_F(DeliveryTest, close_is_harmless_before_open_and_twice) {
    const auto instance = make();
    instance->close();
    CONTRACT_ASSERT_OK(instance->open({}));
    instance->close();
    instance->close();
    CONTRACT_ASSERT_OK(instance->open({}));
}

TEST_F(DeliveryTest, delivers_inserts_with_nulls_quotes_and_unicode) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    shop_.insert(Table::items, {1, "", Cell(), Cell()});
    shop_.insert(Table::items, {std::int64_t{-9'007'199'254'740'993}, "O'Brien \"q\" \\ 'x'",
                                -2147483647 - 1, "tab\tline\nreturn\r"});
    shop_.insert(Table::items, {3, "Grüße, 世界 🙂", 2147483647, "\x01\x7F"});
    shop_.insert(Table::odd, {"k\"1'", 7});
    shop_.insert(Table::words, {"NULL", Cell()});
    deliver(*instance);
}

TEST_F(DeliveryTest, updates_and_deletes_find_their_row) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    for (int i = 1; i <= 5; ++i)
        shop_.insert(Table::items, {i, "a", i, "body"});
    shop_.insert(Table::odd, {"x", 1});
    deliver(*instance);
    shop_.begin();
    shop_.update(Table::items, 2, {2, "b", Cell(), "new body"});
    shop_.update(Table::odd, "x", {"x", 2});
    shop_.erase(Table::items, 3);
    shop_.insert(Table::items, {3, "again", 0, Cell()});
    shop_.erase(Table::items, 4);
    deliver(*instance);
}

TEST_F(DeliveryTest, keeps_what_the_log_does_not_carry) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    shop_.insert(Table::items, {1, "a", 1, std::string(20'000, 't')});
    shop_.insert(Table::items, {2, "a", 1, "short"});
    deliver(*instance);
    shop_.begin();
    shop_.update(Table::items, 1, {1, "b", 2, Cell::unchanged()});
    shop_.update(Table::items, 2, {2, "b", 2, "longer"});
    shop_.update(Table::items, 1, {1, Cell(), 3, Cell::unchanged()});
    shop_.update(Table::items, 1, {1, Cell::unchanged(), 3, Cell::unchanged()});
    shop_.update(Table::items, 2, {2, Cell::unchanged(), 3, Cell()});
    deliver(*instance);
}

TEST_F(DeliveryTest, moves_a_row_whose_key_changes) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    shop_.insert(Table::items, {1, "one", 1, "first body"});
    shop_.insert(Table::items, {2, "two", 2, "second body"});
    deliver(*instance);
    shop_.begin();  // swap the two through a third value
    shop_.update(Table::items, 1, {3, "one", 1, Cell::unchanged()});
    shop_.update(Table::items, 2, {1, "two", 2, Cell::unchanged()});
    shop_.update(Table::items, 3, {2, "one", 1, Cell::unchanged()});
    deliver(*instance);
}

TEST_F(DeliveryTest, folding_of_one_key_inside_a_transaction_keeps_the_end) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    shop_.insert(Table::items, {1, "a", 1, "body"});
    shop_.update(Table::items, 1, {1, "b", 2, Cell::unchanged()});
    shop_.erase(Table::items, 1);
    shop_.insert(Table::items, {1, "c", 3, "other"});
    shop_.insert(Table::items, {2, "gone", 3, "other"});
    shop_.erase(Table::items, 2);
    shop_.update(Table::items, 1, {5, "d", 4, Cell::unchanged()});
    deliver(*instance);
}

TEST_F(DeliveryTest, changes_one_of_equal_rows) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    for (int i = 0; i < 3; ++i)
        shop_.insert(Table::words, {"same", Cell()});
    deliver(*instance);
    shop_.begin();
    shop_.erase_word({"same", Cell()});
    shop_.update_word({"same", Cell()}, {"other", 1});
    deliver(*instance);
}

TEST_F(DeliveryTest, truncates_several_tables_in_order) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    shop_.insert(Table::items, {1, "stays", 1, "x"});
    shop_.insert(Table::odd, {"goes", 1});
    shop_.insert(Table::words, {"goes", 1});
    deliver(*instance);
    shop_.begin();
    shop_.insert(Table::odd, {"goes too", 1});
    shop_.truncate({Table::odd, Table::words});
    shop_.insert(Table::odd, {"comes", 1});
    deliver(*instance);
}

TEST_F(DeliveryTest, takes_messages_it_asked_for_and_ignores_the_others) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    shop_.insert(Table::items, {1, "a", 1, "x"});
    shop_.message("audit", "who \"did\" it\n");
    shop_.insert(Table::items, {2, "b", 1, "x"});
    deliver(*instance);
}

TEST_F(DeliveryTest, takes_many_transactions_in_one_group) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    std::vector<std::shared_ptr<const Transaction>> kept;
    std::vector<fanout_transaction> group;
    for (int i = 0; i < 200; ++i) {
        kept.push_back(shop_.random());
        group.push_back(kept.back()->whole());
    }
    CONTRACT_ASSERT_OK(instance->write(group));
    CONTRACT_ASSERT_OK(instance->flush(kept.back()->cursor()));
    EXPECT_EQ(content(), expected());
}

TEST_F(DeliveryTest, takes_a_large_transaction_in_parts) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    for (int i = 0; i < 5000; ++i)
        shop_.insert(Table::items, {i, "part", i, std::string(100, 'p')});
    const auto large = shop_.commit();
    for (std::size_t first = 0; first < large->size(); first += 1000)
        CONTRACT_ASSERT_OK(instance->write({large->part(first, 1000)}));
    CONTRACT_ASSERT_OK(instance->flush(large->cursor()));
    EXPECT_EQ(content(), expected());
}

TEST_F(DeliveryTest, a_missing_table_is_refused_unless_it_may_be_made) {
    if (!has(FANOUT_CAP_CREATE_TABLES)) GTEST_SKIP() << "this connector makes no tables";
    const auto instance = make();
    shop_.begin();
    shop_.insert(Table::items, {1, "a", 1, "x"});
    const auto transaction = shop_.commit();
    Session session;
    session.create_tables = false;
    CONTRACT_ASSERT_OK(instance->open(session));
    Outcome outcome = instance->write({transaction->whole()});
    if (outcome.code == FANOUT_OK) outcome = instance->flush(transaction->cursor());
    EXPECT_TRUE(refused(outcome));
    instance->close();
    session.create_tables = true;
    CONTRACT_ASSERT_OK(instance->open(session));
    CONTRACT_ASSERT_OK(instance->write({transaction->whole()}));
    CONTRACT_ASSERT_OK(instance->flush(transaction->cursor()));
    EXPECT_EQ(content(), expected());
}

TEST_F(DeliveryTest, interrupt_makes_a_call_return_soon) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    shop_.begin();
    for (int i = 0; i < 20'000; ++i)
        shop_.insert(Table::items, {i, "many", i, "x"});
    const auto large = shop_.commit();
    std::atomic<bool> interrupted = false;
    Outcome outcome;
    std::thread lane([&] {
        // Parts of one endless transaction; none may run on for long once interrupted.
        for (std::size_t first = 0; first < large->size() && outcome.code == FANOUT_OK;
             first += 10) {
            outcome = instance->write({large->part(first, 10)});
            if (interrupted && outcome.code == FANOUT_OK) break;
        }
    });
    std::this_thread::sleep_for(5ms);
    const auto start = std::chrono::steady_clock::now();
    instance->interrupt();
    interrupted = true;
    lane.join();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
    EXPECT_TRUE(outcome.code == FANOUT_OK || outcome.code == FANOUT_RETRY) << outcome.message;
    instance->close();
    CONTRACT_ASSERT_OK(instance->open({})) << "an interrupt ends with the open it was meant for";
}

}  // namespace
}  // namespace fanout::contract
