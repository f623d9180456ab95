// Keys whose order only the source knows: every change is applied, and no row of the past over it.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "sidecar/backfill/table_copy.hpp"

namespace fanout::backfill {
namespace {

constexpr std::uint32_t kSeen = 99, kUnseen = 101, kLater = 102;

KeyShape words() {
    KeyShape key{{KeyKind::server}, {"w"}, {"w"}};
    key.orders.emplace_back();
    key.orders[0].column.type_oid = 25;
    key.orders[0].column.value_class = FANOUT_BYTES;
    key.orders[0].select = "w";
    key.orders[0].by = "25/12345";
    return key;
}

Bound behind(const std::string& word) {
    return {std::make_shared<const KeyValues>(KeyValues{word}), true};
}

TEST(ServerOrderTest, literals_have_the_columns_collation) {
    const auto key = words();
    EXPECT_EQ(key.condition(behind("it's"), true), "w > 'it''s'");
    EXPECT_EQ(key.condition(behind("b"), false), "w <= 'b'");
    EXPECT_EQ(key.order_by("\"s\".\"t\""), " ORDER BY \"s\".\"t\".w");
    EXPECT_EQ(key.is_one_of({behind("b").key, behind("a").key}), "w IN ('b', 'a')");
}

TEST(ServerOrderTest, operators_of_an_extension_are_named_with_their_schema) {
    KeyShape key{{KeyKind::bytes, KeyKind::server}, {"a", "w"}, {"a", "w"}};
    key.orders.resize(2);
    key.orders[1].column.type_oid = 70'000;
    key.orders[1].column.value_class = FANOUT_TEXT_FORM;
    key.orders[1].operators = "public";
    const Bound bound{std::make_shared<const KeyValues>(KeyValues{"\x01", "Word"}), true};
    EXPECT_EQ(key.condition(bound, true),
              "(a OPERATOR(pg_catalog.>=) '\\x01'::pg_catalog.bytea AND (a OPERATOR(pg_catalog.>) "
              "'\\x01'::pg_catalog.bytea OR w OPERATOR(public.>) 'Word'))");
    EXPECT_EQ(key.is_one_of({bound.key}),
              "((a OPERATOR(pg_catalog.=) '\\x01'::pg_catalog.bytea AND w OPERATOR(public.=) "
              "'Word'))");
}

TEST(ServerOrderTest, another_collation_is_another_order) {
    auto other = words();
    EXPECT_TRUE(words().same_order(other));
    other.orders[0].by = "25/100";
    EXPECT_FALSE(words().same_order(other));
}

TEST(ServerOrderTest, a_cut_is_where_its_range_is) {
    RangeMap map;
    map.ranges()[0].id = 5;
    map.release_behind(words(), 5, behind("m"));
    map.release_behind(words(), 5, behind("e"));
    ASSERT_EQ(map.ranges().size(), 3U);
    EXPECT_EQ(*map.ranges()[0].upper.key, KeyValues{"e"});
    EXPECT_EQ(map.ranges()[0].id, 5U);
    EXPECT_EQ(*map.ranges()[1].upper.key, KeyValues{"m"});
    EXPECT_EQ(map.ranges()[1].id, 0U);
    map.release_behind(words(), 5, behind("e"));  // its own end: nothing is behind
    EXPECT_EQ(map.ranges().size(), 3U);
}

TEST(ServerOrderTest, single_keys_stand_in_front_until_they_are_done) {
    RangeMap map;
    map.ranges()[0].state = RangeState::done;
    map.reopen_single({"a"});
    map.reopen_single({"b"});
    map.reopen_single({"a"});
    ASSERT_EQ(map.ranges().size(), 3U);
    EXPECT_EQ(*map.only_key(1), KeyValues{"a"});
    EXPECT_EQ(map.lower(2).key, nullptr);
    map.join();
    ASSERT_EQ(map.ranges().size(), 3U);
    map.ranges()[0].state = RangeState::landed;
    map.ranges()[0].passed_at = 10;
    map.reopen_single({"b"});  // what has landed is of the past
    ASSERT_EQ(map.ranges().size(), 4U);
    map.pass(10);
    EXPECT_EQ(map.ranges().size(), 3U);
    EXPECT_FALSE(map.all_done());
    for (Range& range : map.ranges())
        if (range.single) range.state = RangeState::landed;
    map.pass(10);
    EXPECT_TRUE(map.all_done());
}

class WordsTest : public ::testing::Test {
  protected:
    TableCopy copy_;
    fanout_column columns_[2]{};
    fanout_table table_{};
    std::shared_ptr<Window> window_ = std::make_shared<Window>();

    WordsTest() {
        columns_[0].name = {"w", 1};
        columns_[0].flags = FANOUT_COLUMN_KEY | FANOUT_COLUMN_PRIMARY_KEY;
        columns_[1].name = {"wide", 4};
        table_.version = 1;
        table_.columns = columns_;
        table_.column_count = 2;
        auto shape = std::make_shared<TableShape>();
        shape->key = words();
        shape->keyed = true;
        copy_.shape = shape;
        copy_.mode = CopyMode::ordered;
        copy_.state = CopyState::copying;
        copy_.prepared = true;
        copy_.ranges.split(0, behind("m"));
        copy_.ranges.ranges()[0].state = RangeState::open;
        copy_.ranges.ranges()[0].id = window_->id = 9;
        window_->snapshot = copy_.ranges.ranges()[0].snapshot =
            std::make_shared<const Snapshot>(*Snapshot::parse("100:100:"));
        copy_.windows[9] = window_;
    }

    Judgement judge(std::uint8_t op, const char* before, const char* after, std::uint32_t xid,
                    bool whole = true) {
        const auto value = [](const char* text) {
            const std::string_view view = text == nullptr ? "" : text;
            return fanout_value{reinterpret_cast<const std::uint8_t*>(view.data()),
                                static_cast<std::uint32_t>(view.size()), FANOUT_PRESENT};
        };
        const fanout_value old_image[] = {value(before), {}};
        fanout_value new_image[] = {value(after), value("x")};
        if (!whole) new_image[1] = {nullptr, 0, FANOUT_UNCHANGED};
        if (std::string_view(after == nullptr ? "" : after) == "same")
            new_image[0] = {nullptr, 0, FANOUT_UNCHANGED};
        fanout_change change{};
        change.op = op;
        change.table = &table_;
        change.before_kind = before != nullptr ? FANOUT_BEFORE_KEY : FANOUT_BEFORE_NONE;
        change.before = before != nullptr ? old_image : nullptr;
        change.after = after != nullptr ? new_image : nullptr;
        return copy_.judge(change, xid);
    }
    void keys_are_equal_as_bytes() {
        auto shape = std::make_shared<TableShape>();
        shape->key = words();
        shape->key->equal_as_bytes = shape->keyed = true;
        copy_.shape = shape;
    }
    bool outdated(const char* word, bool in_transaction = false) const {
        return window_->is_outdated({word}, in_transaction);
    }
};

TEST_F(WordsTest, what_the_snapshot_sees_is_applied_and_its_row_comes_again) {
    EXPECT_EQ(judge(FANOUT_INSERT, nullptr, "a", kSeen).verdict, Verdict::lenient);
    EXPECT_EQ(judge(FANOUT_UPDATE, nullptr, "a", kSeen, false).verdict, Verdict::lenient);
    EXPECT_EQ(judge(FANOUT_DELETE, "a", nullptr, kSeen).verdict, Verdict::lenient);
    EXPECT_FALSE(outdated("a"));
}

TEST_F(WordsTest, what_it_does_not_see_leaves_its_row_out) {
    EXPECT_EQ(judge(FANOUT_UPDATE, nullptr, "a", kUnseen).verdict, Verdict::replace);
    EXPECT_EQ(judge(FANOUT_DELETE, "b", nullptr, kUnseen).verdict, Verdict::lenient);
    EXPECT_EQ(judge(FANOUT_UPDATE, "c", "d", kUnseen).verdict, Verdict::move_lenient);
    for (const char* word : {"a", "b", "c", "d"}) {
        EXPECT_TRUE(outdated(word)) << word;
        // Of a transaction that is not at the target yet the row of before has to be there.
        EXPECT_FALSE(outdated(word, true)) << word;
    }
    EXPECT_FALSE(outdated("e"));
    EXPECT_EQ(judge(FANOUT_INSERT, nullptr, "e", kLater).verdict, Verdict::lenient);
    EXPECT_TRUE(outdated("a", true));
    EXPECT_FALSE(outdated("e", true));
}

TEST_F(WordsTest, a_void_transaction_has_changed_nothing) {
    judge(FANOUT_INSERT, nullptr, "a", kUnseen);
    judge(FANOUT_INSERT, nullptr, "b", kLater);
    copy_.void_changes();
    EXPECT_TRUE(outdated("a"));
    EXPECT_FALSE(outdated("b"));
}

TEST_F(WordsTest, an_unchanged_value_waits_for_the_row_that_has_it) {
    const auto judged = judge(FANOUT_UPDATE, nullptr, "a", kUnseen, false);
    EXPECT_EQ(judged.verdict, Verdict::wait);
    EXPECT_EQ(judged.window, 9U);
    copy_.landed(*window_, 1);
    EXPECT_EQ(judge(FANOUT_UPDATE, nullptr, "a", kUnseen, false).verdict, Verdict::lenient);
}

TEST_F(WordsTest, a_key_that_moves_without_all_of_its_row_is_read_again) {
    EXPECT_EQ(judge(FANOUT_UPDATE, "a", "z", kSeen, false).verdict, Verdict::move_onto_lenient);
    ASSERT_NE(copy_.ranges.only_key(0), nullptr);
    EXPECT_EQ(*copy_.ranges.only_key(0), KeyValues{"z"});
    TableCopy again;
    ASSERT_TRUE(again.take_note(copy_.note(7), 7));
    EXPECT_TRUE(again.server_ordered());
    ASSERT_NE(again.ranges.only_key(0), nullptr);
    EXPECT_EQ(*again.ranges.only_key(0), KeyValues{"z"});
    EXPECT_EQ(again.ranges.ranges().size(), copy_.ranges.ranges().size());
}

/// Or a copy would not end while keys move.
TEST_F(WordsTest, a_key_that_moves_where_all_is_done_is_not_read_again) {
    for (Range& range : copy_.ranges.ranges())
        range.state = RangeState::done;
    copy_.windows.clear();
    copy_.ranges.reopen_single({"a"});
    judge(FANOUT_UPDATE, "b", "c", kUnseen, false);
    EXPECT_EQ(copy_.ranges.ranges().size(), 3U);
    judge(FANOUT_UPDATE, "a", "c", kUnseen, false);
    EXPECT_EQ(copy_.ranges.ranges().size(), 4U);
}

/// Only those may be at the target before they are copied.
TEST_F(WordsTest, keys_that_the_stream_has_touched_are_known) {
    const auto may_be_there = [&](std::string_view word) {
        const fanout_value image[] = {{reinterpret_cast<const std::uint8_t*>(word.data()),
                                       static_cast<std::uint32_t>(word.size()), FANOUT_PRESENT}};
        return copy_.touched->may_have({0}, image);
    };
    copy_.is_prepared();
    EXPECT_EQ(copy_.touched, nullptr);  // keys that may be equal with other bytes
    keys_are_equal_as_bytes();
    copy_.is_prepared();
    ASSERT_NE(copy_.touched, nullptr);
    judge(FANOUT_INSERT, nullptr, "a", kSeen);
    judge(FANOUT_DELETE, "b", nullptr, kUnseen);
    judge(FANOUT_UPDATE, "c", "d", kSeen, false);
    for (const char* word : {"a", "b", "c", "d"})
        EXPECT_TRUE(may_be_there(word)) << word;
    EXPECT_FALSE(may_be_there("e"));
    window_->pieces_landed = true;
    copy_.give_up(9);
    EXPECT_EQ(copy_.touched, nullptr);  // its rows are there, and come again
}

TEST_F(WordsTest, over_rows_that_are_there_nothing_is_known) {
    keys_are_equal_as_bytes();
    copy_.lenient = true;
    copy_.is_prepared();
    EXPECT_EQ(copy_.touched, nullptr);
    copy_.lenient = false;
    copy_.is_prepared();
    TableCopy again;
    ASSERT_TRUE(again.take_note(copy_.note(7), 7));
    EXPECT_EQ(again.touched, nullptr);
    copy_.restart();
    EXPECT_EQ(copy_.touched, nullptr);
}

TEST_F(WordsTest, a_long_key_may_be_unchanged_itself) {
    EXPECT_EQ(judge(FANOUT_UPDATE, "a", "same", kSeen).verdict, Verdict::lenient);
}

TEST_F(WordsTest, nothing_is_applied_before_the_target_is_ready) {
    copy_.prepared = false;
    EXPECT_EQ(judge(FANOUT_INSERT, nullptr, "a", kSeen).verdict, Verdict::drop);
}

TEST_F(WordsTest, a_window_lost_in_pieces_is_read_again_and_no_more) {
    window_->pieces_landed = true;
    copy_.give_up(9);
    EXPECT_EQ(copy_.state, CopyState::copying);
    EXPECT_EQ(copy_.ranges.ranges()[0].state, RangeState::pending);
}

}  // namespace
}  // namespace fanout::backfill
