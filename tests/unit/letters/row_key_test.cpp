// Two changes count as being about one row unless the opposite is certain.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "sidecar/letters/row_key.hpp"

namespace fanout::letters {
namespace {

fanout_value present(const std::string& bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()),
            static_cast<std::uint32_t>(bytes.size()), FANOUT_PRESENT};
}

/// A table of two columns, the first of them its key.
class RowKeyTest : public testing::Test {
  protected:
    RowKeyTest() {
        columns_[0].attnum = 1;
        columns_[0].type_oid = 25;
        columns_[0].typmod = -1;
        columns_[0].value_class = FANOUT_BYTES;
        columns_[0].flags = FANOUT_COLUMN_KEY;
        columns_[1] = columns_[0];
        columns_[1].attnum = 2;
        columns_[1].flags = 0;
        table_.oid = 16384;
        table_.columns = columns_.data();
        table_.column_count = columns_.size();
    }

    RowKey key(fanout_op op, const fanout_value* before, const fanout_value* after) {
        fanout_change change{};
        change.op = static_cast<std::uint8_t>(op);
        change.table = &table_;
        change.before = before;
        change.after = after;
        return row_key(change);
    }
    RowKey inserted(const std::string& id, const std::string& rest) {
        const fanout_value row[] = {present(id), present(rest)};
        return key(FANOUT_INSERT, nullptr, row);
    }

    std::array<fanout_column, 2> columns_{};
    fanout_table table_{};
};

TEST_F(RowKeyTest, OnlyTheKeyCounts) {
    EXPECT_TRUE(may_be_one_row(inserted("a", "1"), inserted("a", "2")));
    EXPECT_FALSE(may_be_one_row(inserted("a", "1"), inserted("b", "1")));
}

TEST_F(RowKeyTest, AnUpdateOfTheKeyIsAboutTwoRows) {
    const std::string a = "a", b = "b", rest = "x";
    const fanout_value before[] = {present(a), {nullptr, 0, FANOUT_ABSENT}};
    const fanout_value after[] = {present(b), present(rest)};
    const auto moved = key(FANOUT_UPDATE, before, after);
    EXPECT_TRUE(may_be_one_row(moved, inserted("a", "")));
    EXPECT_TRUE(may_be_one_row(moved, inserted("b", "")));
    EXPECT_FALSE(may_be_one_row(moved, inserted("c", "")));
}

TEST_F(RowKeyTest, AKeyThatIsNotInTheChangeMayBeAnyRow) {
    const std::string rest = "x";
    const fanout_value after[] = {{nullptr, 0, FANOUT_UNCHANGED}, present(rest)};
    const auto unknown = key(FANOUT_UPDATE, nullptr, after);
    EXPECT_TRUE(may_be_one_row(unknown, inserted("a", "")));
    const std::string a = "a";
    const fanout_value before[] = {present(a), present(rest)};
    EXPECT_FALSE(may_be_one_row(key(FANOUT_UPDATE, before, after), inserted("b", "")));
}

TEST_F(RowKeyTest, ValuesThatOnlyTheirTypeCanCompareMayBeEqual) {
    columns_[0].value_class = FANOUT_TEXT_FORM;
    EXPECT_TRUE(may_be_one_row(inserted("a", ""), inserted("A", "")));
    columns_[0].value_class = FANOUT_NUMERIC;
    EXPECT_TRUE(may_be_one_row(inserted("1", ""), inserted("2", "")));
    columns_[0].typmod = 655364;
    EXPECT_FALSE(may_be_one_row(inserted("1", ""), inserted("2", "")));
}

TEST_F(RowKeyTest, AnotherKeyCannotBeCompared) {
    const auto before = inserted("a", "b");
    columns_[0].flags = 0;
    columns_[1].flags = FANOUT_COLUMN_KEY;
    EXPECT_TRUE(may_be_one_row(before, inserted("x", "y")));
}

TEST_F(RowKeyTest, WithoutAKeyARowThatComesIsANewOne) {
    columns_[0].flags = 0;
    EXPECT_FALSE(may_be_one_row(inserted("a", ""), inserted("a", "")));
    const std::string a = "a";
    const fanout_value row[] = {present(a), present(a)};
    EXPECT_TRUE(may_be_one_row(inserted("a", ""), key(FANOUT_DELETE, row, nullptr)));
}

}  // namespace
}  // namespace fanout::letters
