// What was put aside is there after a restart, is counted once, and is found again whole.
#include <gtest/gtest.h>

#include <unistd.h>
#include <filesystem>
#include <fstream>

#include "sidecar/letters/parking.hpp"

namespace fanout::letters {
namespace {

class LettersTest : public testing::Test {
  protected:
    LettersTest() { std::filesystem::create_directories(folder_); }
    ~LettersTest() override { std::filesystem::remove_all(folder_); }

    static Letter letter(Position at) {
        Letter made;
        made.at = at;
        made.schema_name = "public";
        made.table_name = "orders";
        made.operation = "insert";
        made.relation = {1, 2, 3};
        made.change = {4, 0, 10, 255};
        return made;
    }

    const std::string folder_ = testing::TempDir() + "letters_test." + std::to_string(::getpid());
    const std::map<Position, std::string> no_skips_;
};

TEST_F(LettersTest, ARefusedChangeIsKeptWithItsReasonAndItsBytes) {
    DeadLetters letters(folder_, 7);
    Parking parking(letters, no_skips_);
    ASSERT_TRUE(parking.load().is_ok());
    const Position at{0x1000, 3};
    EXPECT_FALSE(parking.knows(at));
    EXPECT_TRUE(parking.refuse(at, "no room for NaN", "hint"));
    EXPECT_TRUE(parking.knows(at));
    EXPECT_FALSE(parking.knows({0x1000, 2}));
    EXPECT_FALSE(letters.has(at));  // not yet met again
    ASSERT_TRUE(parking.park(letter(at)).is_ok());
    EXPECT_EQ(letters.rows_parked(), 1U);

    DeadLetters after_restart(folder_, 7);
    Parking again(after_restart, no_skips_);
    ASSERT_TRUE(again.load().is_ok());
    EXPECT_TRUE(again.knows(at));
    EXPECT_EQ(after_restart.rows_parked(), 1U);
    const auto found = after_restart.find(at);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->error, "no room for NaN");
    EXPECT_EQ(found->relation, letter(at).relation);
    EXPECT_EQ(found->change, letter(at).change);
    EXPECT_EQ(DeadLetters(folder_, 8).rows_parked(), 0U);
}

TEST_F(LettersTest, AChangeIsRefusedOnceAndNeverWithoutAPosition) {
    DeadLetters letters(folder_, 7);
    Parking parking(letters, no_skips_);
    EXPECT_FALSE(parking.refuse({0, 0}, "", ""));
    EXPECT_FALSE(parking.refuse({0x1000, 0}, "", ""));
    EXPECT_TRUE(parking.refuse({0x1000, 1}, "", ""));
    EXPECT_FALSE(parking.refuse({0x1000, 1}, "", ""));
    ASSERT_TRUE(parking.park(letter({0x1000, 1})).is_ok());
    ASSERT_TRUE(parking.park(letter({0x1000, 1})).is_ok());
    EXPECT_EQ(letters.rows_parked(), 1U);
}

TEST_F(LettersTest, ASkippedChangeNamesWhoSaidSo) {
    const std::map<Position, std::string> skips{{{0x2000, 1}, "alice"}};
    DeadLetters letters(folder_, 7);
    Parking parking(letters, skips);
    ASSERT_TRUE(parking.load().is_ok());
    ASSERT_TRUE(parking.knows({0x2000, 1}));
    ASSERT_TRUE(parking.park(letter({0x2000, 1})).is_ok());
    std::uint64_t version = 0;
    const auto changed = letters.changed_since(version);
    ASSERT_EQ(changed.size(), 1U);
    EXPECT_EQ(changed[0].error, "skipped by alice");
    EXPECT_TRUE(changed[0].change.empty());
    EXPECT_TRUE(letters.changed_since(version).empty());
}

TEST_F(LettersTest, ADamagedFileIsRefusedByName) {
    DeadLetters letters(folder_, 7);
    ASSERT_TRUE(letters.put(letter({0x1000, 1})).is_ok());
    const std::string path = folder_ + "/letters/7/0000000000001000-1.letter";
    ASSERT_TRUE(std::filesystem::exists(path));
    std::ofstream(path) << "{";
    const auto loaded = letters.load();
    EXPECT_EQ(loaded.kind(), StatusKind::corruption);
    EXPECT_NE(loaded.text().find(path), std::string::npos);
}

}  // namespace
}  // namespace fanout::letters
