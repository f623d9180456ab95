// Snapshots, keys and ranges: what decides whether a change of the stream is the copy's or ours.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "sidecar/backfill/table_copy.hpp"

namespace fanout::backfill {
namespace {

std::string int4(std::int32_t number) {
    return {reinterpret_cast<const char*>(&number), sizeof number};
}

Bound at(std::int32_t number, bool behind) {
    return {std::make_shared<const KeyValues>(KeyValues{int4(number)}), behind};
}

KeyShape one_int() {
    return {{KeyKind::int4}, {"id"}, {"id"}};
}

TEST(SnapshotTest, sees_what_had_committed) {
    const auto snapshot = Snapshot::parse("100:110:103,105");
    ASSERT_TRUE(snapshot);
    EXPECT_TRUE(snapshot->sees(99));
    EXPECT_TRUE(snapshot->sees(104));
    EXPECT_FALSE(snapshot->sees(103));
    EXPECT_FALSE(snapshot->sees(105));
    EXPECT_FALSE(snapshot->sees(110));
    EXPECT_TRUE(Snapshot::parse("7:7:")->sees(6));
    EXPECT_FALSE(Snapshot::parse("7:7:")->sees(7));
    EXPECT_FALSE(Snapshot::parse("7:"));
    EXPECT_FALSE(Snapshot::parse("7:9:x"));
}

TEST(SnapshotTest, ids_wrap_around) {
    constexpr std::uint64_t kEpoch = 1ULL << 32;
    const auto behind = Snapshot::parse(std::to_string(5 * kEpoch + 10) + ":" +
                                        std::to_string(5 * kEpoch + 20) + ":");
    EXPECT_TRUE(behind->sees(0xFFFFFFF0U));  // of the epoch before
    EXPECT_FALSE(behind->sees(25));
    const auto before = Snapshot::parse(std::to_string(5 * kEpoch - 10) + ":" +
                                        std::to_string(5 * kEpoch - 5) + ":");
    EXPECT_FALSE(before->sees(3));  // of the epoch to come
    EXPECT_EQ(full_xid(3, 5 * kEpoch - 5), 5 * kEpoch + 3);
}

TEST(KeyTest, orders_as_the_server_does) {
    EXPECT_TRUE(compare_values(KeyKind::int4, int4(-1), int4(1)) < 0);
    EXPECT_TRUE(compare_values(KeyKind::text, "a", "ab") < 0);
    EXPECT_TRUE(compare_values(KeyKind::text, "z", "\xC3\xA4") < 0);
    EXPECT_TRUE(compare_values(KeyKind::one_byte, "z", "\x80") < 0);
    EXPECT_TRUE(compare_values(KeyKind::oid, int4(-1), int4(1)) > 0);
}

TEST(KeyTest, literals_are_exact) {
    EXPECT_EQ(key_literal(KeyKind::int4, int4(-5)), "'-5'::pg_catalog.int4");
    EXPECT_EQ(key_literal(KeyKind::text, "it's"), "'it''s'::pg_catalog.text");
    EXPECT_EQ(key_literal(KeyKind::one_byte, "\x80"),
              "'-128'::pg_catalog.int4::pg_catalog.\"char\"");
    EXPECT_EQ(key_literal(KeyKind::date, int4(0)), "'2000-01-01'::pg_catalog.date");
    EXPECT_EQ(key_literal(KeyKind::date, int4(-730'485)), "'0001-01-01 BC'::pg_catalog.date");
    const std::int64_t micros = -1;
    EXPECT_EQ(key_literal(KeyKind::timestamp, {reinterpret_cast<const char*>(&micros), 8}),
              "'1999-12-31 23:59:59.999999'::pg_catalog.timestamp");
    EXPECT_EQ(one_int().condition(at(3, true), true), "id > '3'::pg_catalog.int4");
    EXPECT_EQ(one_int().condition(at(3, false), false), "id < '3'::pg_catalog.int4");
}

TEST(RangeMapTest, always_covers_every_key) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 chance(seed);
    const auto shape = one_int();
    RangeMap map;
    for (int i = 0; i < 500; ++i) {
        const auto key = static_cast<std::int32_t>(chance() % 1000);
        const std::size_t found = map.find(shape, {int4(key)});
        if (chance() % 2 == 0) {
            map.split(found, at(key, chance() % 2 == 0));
        } else {
            map.reopen_key(shape, {int4(key)});
            EXPECT_EQ(map.ranges()[map.find(shape, {int4(key)})].state, RangeState::pending);
        }
        map.ranges()[chance() % map.ranges().size()].state =
            chance() % 2 == 0 ? RangeState::done : RangeState::pending;
        if (chance() % 5 == 0) map.join();
        ASSERT_EQ(map.ranges().back().upper.key, nullptr);
        for (std::size_t r = 0; r + 2 < map.ranges().size(); ++r)
            ASSERT_TRUE(shape.compare(*map.ranges()[r].upper.key, *map.ranges()[r + 1].upper.key) <=
                        0);
    }
}

TEST(RangeMapTest, single_keys_are_told_from_stretches) {
    const auto shape = one_int();
    RangeMap map;
    map.ranges()[0].state = RangeState::done;
    map.reopen_key(shape, {int4(7)});
    map.reopen_key(shape, {int4(9)});
    ASSERT_EQ(map.ranges().size(), 5U);
    for (const std::size_t i : {0U, 2U, 4U})
        EXPECT_EQ(map.only_key(i), nullptr);
    EXPECT_EQ(*map.only_key(1), KeyValues{int4(7)});
    EXPECT_EQ(*map.only_key(3), KeyValues{int4(9)});
    EXPECT_EQ(shape.is_one_of({map.only_key(1), map.only_key(3)}),
              "id IN ('7'::pg_catalog.int4, '9'::pg_catalog.int4)");
    const KeyShape two{{KeyKind::int4, KeyKind::text}, {"a", "b"}, {"a", "b"}};
    const auto key = std::make_shared<const KeyValues>(KeyValues{int4(1), "x"});
    EXPECT_EQ(two.is_one_of({key}), "(a, b) IN (('1'::pg_catalog.int4, 'x'::pg_catalog.text))");
}

TEST(RangeMapTest, what_is_behind_a_cut_is_pending_again) {
    const auto shape = one_int();
    RangeMap map;
    map.ranges()[0].state = RangeState::done;
    for (const int key : {3, 5, 7})
        map.reopen_key(shape, {int4(key)});
    for (Range& range : map.ranges()) {
        if (range.state != RangeState::pending) continue;
        range.state = RangeState::open;
        range.id = 4;
    }
    map.release_behind(shape, 4, at(5, true));
    const auto state = [&](int key) { return map.ranges()[map.find(shape, {int4(key)})].state; };
    EXPECT_EQ(state(3), RangeState::open);
    EXPECT_EQ(state(5), RangeState::open);
    EXPECT_EQ(state(7), RangeState::pending);
    EXPECT_EQ(state(6), RangeState::done);

    RangeMap stretch;
    stretch.ranges()[0].id = 4;
    stretch.ranges()[0].state = RangeState::open;
    stretch.release_behind(shape, 4, at(5, true));
    ASSERT_EQ(stretch.ranges().size(), 2U);
    EXPECT_EQ(stretch.ranges()[0].state, RangeState::open);
    EXPECT_EQ(stretch.ranges()[1].state, RangeState::pending);
    EXPECT_EQ(stretch.ranges()[1].id, 0U);
}

class CopyTest : public ::testing::Test {
  protected:
    TableCopy copy_;
    fanout_column column_{};
    fanout_table table_{};

    CopyTest() {
        column_.name = {"id", 2};
        column_.flags = FANOUT_COLUMN_KEY | FANOUT_COLUMN_PRIMARY_KEY;
        table_.version = 1;
        table_.columns = &column_;
        table_.column_count = 1;
        auto shape = std::make_shared<TableShape>();
        shape->key = one_int();
        shape->keyed = true;
        copy_.shape = shape;
        copy_.mode = CopyMode::ordered;
        copy_.state = CopyState::copying;
        copy_.prepared = true;
        // done up to 10, landed up to 20, open up to 30, then pending
        auto& map = copy_.ranges;
        map.split(0, at(10, true));
        map.split(1, at(20, true));
        map.split(2, at(30, true));
        const auto snapshot = std::make_shared<const Snapshot>(*Snapshot::parse("100:100:"));
        map.ranges()[0].state = RangeState::done;
        map.ranges()[1].state = RangeState::landed;
        map.ranges()[1].snapshot = snapshot;
        map.ranges()[1].passed_at = 500;
        map.ranges()[2].state = RangeState::open;
        map.ranges()[2].snapshot = snapshot;
        map.ranges()[2].id = 9;
        copy_.windows[9] = std::make_shared<Window>();
        copy_.windows[9]->id = 9;
        copy_.windows[9]->snapshot = snapshot;
    }

    Verdict judge(std::uint8_t op, std::optional<std::int32_t> before,
                  std::optional<std::int32_t> after, std::uint32_t xid) {
        std::string old_key = int4(before.value_or(0)), new_key = int4(after.value_or(0));
        const auto value = [](const std::string& key) {
            return fanout_value{reinterpret_cast<const std::uint8_t*>(key.data()), 4,
                                FANOUT_PRESENT};
        };
        const fanout_value old_image = value(old_key), new_image = value(new_key);
        fanout_change change{};
        change.op = op;
        change.table = &table_;
        change.before_kind = before ? FANOUT_BEFORE_KEY : FANOUT_BEFORE_NONE;
        change.before = before ? &old_image : nullptr;
        change.after = after ? &new_image : nullptr;
        return copy_.judge(change, xid).verdict;
    }
};

constexpr std::uint32_t kSeen = 99, kUnseen = 101;

TEST_F(CopyTest, the_table_of_the_rules) {
    for (const auto xid : {kSeen, kUnseen}) {
        EXPECT_EQ(judge(FANOUT_INSERT, {}, 5, xid), Verdict::apply);
        EXPECT_EQ(judge(FANOUT_INSERT, {}, 35, xid), Verdict::drop);
    }
    EXPECT_EQ(judge(FANOUT_UPDATE, {}, 15, kSeen), Verdict::drop);
    EXPECT_EQ(judge(FANOUT_UPDATE, {}, 15, kUnseen), Verdict::apply);
    EXPECT_EQ(judge(FANOUT_DELETE, 25, {}, kSeen), Verdict::drop);
    EXPECT_EQ(judge(FANOUT_DELETE, 25, {}, kUnseen), Verdict::wait);
}

TEST_F(CopyTest, key_changes_fall_apart) {
    EXPECT_EQ(judge(FANOUT_UPDATE, 5, 6, kUnseen), Verdict::apply);
    EXPECT_EQ(judge(FANOUT_UPDATE, 5, 35, kUnseen), Verdict::remove_old);
    EXPECT_EQ(judge(FANOUT_UPDATE, 35, 5, kUnseen), Verdict::insert_new);
    EXPECT_EQ(judge(FANOUT_UPDATE, 35, 36, kUnseen), Verdict::drop);
    EXPECT_EQ(judge(FANOUT_UPDATE, 5, 25, kUnseen), Verdict::wait);
    EXPECT_EQ(judge(FANOUT_UPDATE, 25, 5, kSeen), Verdict::insert_new);
}

TEST_F(CopyTest, a_seen_truncate_takes_landed_rows_with_it) {
    EXPECT_FALSE(copy_.truncate_waits_for(kSeen));
    copy_.truncated(kSeen);
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 15, kUnseen), Verdict::drop);
    EXPECT_EQ(copy_.truncate_waits_for(kUnseen), 9U);
}

/// Single keys are read by one chunk: its ranges are landed, or given up, together.
TEST_F(CopyTest, one_window_of_several_keys) {
    for (const bool cut : {false, true}) {
        TableCopy copy = copy_;
        const auto shape = one_int();
        for (const int key : {2, 4, 6})
            copy.ranges.reopen_key(shape, {int4(key)});
        const auto snapshot = copy.windows[9]->snapshot;
        for (Range& range : copy.ranges.ranges()) {
            if (range.state != RangeState::pending || range.upper.key == nullptr) continue;
            range.state = RangeState::open;
            range.snapshot = snapshot;
            range.id = 10;
        }
        auto window = copy.windows[10] = std::make_shared<Window>();
        window->id = 10;
        window->snapshot = snapshot;
        window->passed_at = 500;
        if (cut) window->cut = at(4, true);
        std::swap(copy, copy_);
        EXPECT_EQ(judge(FANOUT_UPDATE, {}, 6, kUnseen), Verdict::wait);
        copy_.landed(*window, 400);
        EXPECT_EQ(copy_.chunks, 1U);
        EXPECT_EQ(judge(FANOUT_UPDATE, {}, 4, kUnseen), Verdict::apply);
        EXPECT_EQ(judge(FANOUT_UPDATE, {}, 4, kSeen), Verdict::drop);
        EXPECT_EQ(judge(FANOUT_UPDATE, {}, 5, kSeen), Verdict::apply);
        EXPECT_EQ(judge(FANOUT_UPDATE, {}, 6, kUnseen), cut ? Verdict::drop : Verdict::apply);
        std::swap(copy, copy_);
    }
}

TEST_F(CopyTest, rows_of_others_are_replaced_for_good) {
    copy_.foreign_rows = true;
    copy_.lenient = true;
    copy_.state = CopyState::complete;
    TableCopy again;
    ASSERT_TRUE(again.take_note(copy_.note(7), 7));
    copy_ = std::move(again);
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 5, kUnseen), Verdict::lenient);
    EXPECT_EQ(judge(FANOUT_UPDATE, {}, 5, kUnseen), Verdict::apply);
    EXPECT_EQ(judge(FANOUT_UPDATE, 5, 5, kUnseen), Verdict::apply);
    EXPECT_EQ(judge(FANOUT_UPDATE, 5, 6, kUnseen), Verdict::move_lenient);
    EXPECT_EQ(judge(FANOUT_DELETE, 5, {}, kUnseen), Verdict::apply);
}

TEST_F(CopyTest, the_note_brings_back_what_is_at_the_target) {
    TableCopy again;
    ASSERT_TRUE(again.take_note(copy_.note(7), 7));
    EXPECT_FALSE(again.take_note(copy_.note(7), 8));
    copy_ = std::move(again);
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 5, kSeen), Verdict::apply);
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 15, kSeen), Verdict::drop);
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 15, kUnseen), Verdict::apply);
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 25, kUnseen), Verdict::drop);
    copy_.pass(499);
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 15, kSeen), Verdict::drop);
    copy_.pass(500);
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 15, kSeen), Verdict::apply);
}

/// All rows of a copy that is to have indexes are there.
void finish_rows(TableCopy& copy) {
    copy.create_indexes = CreateIndexes::own_tables;
    copy.windows.clear();
    copy.ranges = RangeMap();
    copy.ranges.ranges()[0].state = RangeState::done;
    copy.last_error = "of a chunk";
    copy.pass(500);
}

TEST_F(CopyTest, indexes_follow_the_rows) {
    finish_rows(copy_);
    EXPECT_EQ(copy_.state, CopyState::indexing);
    EXPECT_FALSE(copy_.under_way());
    EXPECT_TRUE(copy_.wants_reader());
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 35, kUnseen), Verdict::apply);
    TableCopy again;
    ASSERT_TRUE(again.take_note(copy_.note(7), 7));
    EXPECT_EQ(again.state, CopyState::indexing);
    EXPECT_TRUE(again.wants_reader());
    source::TableIndexes found;
    found.indexes = {{"a", false, "", "make a"}, {"b", true, "", "make b"}};
    found.left_out = "not carried: c";
    again.indexes = std::make_shared<const source::TableIndexes>(found);
    EXPECT_FALSE(again.wants_reader());
    again.index_done("a failed", "make a;");
    EXPECT_EQ(again.state, CopyState::indexing);
    again.index_done("", "make b;");
    EXPECT_EQ(again.state, CopyState::complete);
    TableCopy last;
    ASSERT_TRUE(last.take_note(again.note(7), 7));
    const Report told = last.report();
    EXPECT_EQ(told.state, "complete");
    EXPECT_EQ(told.detail, "not carried: c");
    EXPECT_EQ(told.last_error, "a failed");
    EXPECT_EQ(told.last_error_hint, "make a;");
}

TEST_F(CopyTest, nothing_follows_the_rows_where_none_are_wanted) {
    copy_.windows.clear();
    copy_.ranges = RangeMap();
    copy_.ranges.ranges()[0].state = RangeState::done;
    copy_.last_error = "of a chunk";
    copy_.pass(500);
    EXPECT_EQ(copy_.state, CopyState::complete);
    EXPECT_EQ(copy_.report().last_error, "");
}

std::shared_ptr<TableShape> shape_of(const std::string& stamp, const std::string& key = "id") {
    auto shape = std::make_shared<TableShape>();
    shape->key = KeyShape{{KeyKind::int4}, {key}, {key}};
    shape->keyed = true;
    shape->stamp = stamp;
    shape->columns.resize(1);
    return shape;
}

/// What is read has the shape of the target's table: that of the place where the lane is.
TEST_F(CopyTest, another_shape_waits_for_the_lane) {
    copy_.shape = shape_of("a");
    EXPECT_TRUE(copy_.found(shape_of("a"), 900, 400));
    EXPECT_EQ(copy_.shape_from, 0U);
    EXPECT_FALSE(copy_.found(shape_of("b"), 900, 899));
    EXPECT_EQ(copy_.shape_from, 900U);
    EXPECT_EQ(copy_.shape->stamp, "a");
    EXPECT_FALSE(copy_.found(shape_of("b"), 990, 899));  // seen before: that place is good enough
    EXPECT_EQ(copy_.shape_from, 900U);
    EXPECT_TRUE(copy_.found(shape_of("b"), 999, 900));
    EXPECT_EQ(copy_.shape->stamp, "b");
    EXPECT_FALSE(copy_.found(shape_of("c"), 1100, 1000));
    EXPECT_FALSE(copy_.found(shape_of("d"), 1200, 1100));  // changed again: a place further on
    EXPECT_TRUE(copy_.found(shape_of("d"), 1300, 1200));
    EXPECT_TRUE(copy_.found(shape_of("e"), 1400, 1400));  // the lane is there already
    EXPECT_EQ(copy_.shape->stamp, "e");
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 5, kUnseen), Verdict::apply);  // nothing was lost by it
}

TEST_F(CopyTest, a_dropped_table_is_gone_where_the_lane_has_dropped_it) {
    copy_.shape = shape_of("a");
    EXPECT_FALSE(copy_.found(nullptr, 900, 899));
    EXPECT_EQ(judge(FANOUT_INSERT, {}, 5, kUnseen), Verdict::apply);
    EXPECT_TRUE(copy_.found(nullptr, 950, 900));
}

TEST_F(CopyTest, another_key_begins_anew_where_the_lane_has_it) {
    copy_.shape = shape_of("a");
    EXPECT_FALSE(copy_.found(shape_of("b", "other"), 900, 899));
    EXPECT_EQ(copy_.state, CopyState::copying);
    EXPECT_FALSE(copy_.found(shape_of("b", "other"), 950, 900));
    EXPECT_EQ(copy_.state, CopyState::fresh);
    EXPECT_TRUE(copy_.has_stale_rows());
    EXPECT_EQ(copy_.shape_from, 0U);
}

TEST_F(CopyTest, the_note_knows_the_shape) {
    copy_.shape = shape_of("a");
    for (const char* now : {"a", "b"}) {
        TableCopy again;
        ASSERT_TRUE(again.take_note(copy_.note(7), 7));
        EXPECT_TRUE(again.shape->columns.empty());
        EXPECT_EQ(again.found(shape_of(now), 900, 400), std::string(now) == "a");
        EXPECT_EQ(again.shape->columns.empty(), std::string(now) == "b");
    }
}

/// What was seen of a table and not used yet is looked at again.
TEST_F(CopyTest, a_schema_change_makes_a_look_void) {
    copy_.shape = shape_of("a");
    copy_.schema_changed();
    EXPECT_EQ(copy_.mode, CopyMode::ordered);  // its chunks check for themselves
    ASSERT_NE(copy_.shape, nullptr);
    TableCopy fresh = copy_;
    fresh.prepared = false;
    fresh.schema_changed();
    EXPECT_EQ(fresh.mode, CopyMode::unknown);
    EXPECT_EQ(fresh.schema_changes, 2U);
    finish_rows(copy_);
    copy_.indexes = std::make_shared<const source::TableIndexes>();
    copy_.next_index = 1;
    copy_.schema_changed();
    EXPECT_TRUE(copy_.wants_reader());
    EXPECT_EQ(copy_.next_index, 0U);
}

}  // namespace
}  // namespace fanout::backfill
