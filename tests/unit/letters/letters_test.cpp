// What was put aside is there after a restart, is counted once, and is found again whole.
#include <gtest/gtest.h>

#include <unistd.h>
#include <algorithm>
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
        made.table = 16384;
        made.key.rows = {1};
        return made;
    }
    static LetterRecords records() {
        static constexpr std::uint8_t kRelation[] = {1, 2, 3};
        static constexpr std::uint8_t kChange[] = {4, 0, 10, 255};
        return {9, 1, kRelation, kChange};
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
    ASSERT_TRUE(parking.park(letter(at), records()).is_ok());
    EXPECT_EQ(letters.rows_parked(), 1U);

    DeadLetters after_restart(folder_, 7);
    Parking again(after_restart, no_skips_);
    ASSERT_TRUE(again.load().is_ok());
    EXPECT_TRUE(again.knows(at));
    EXPECT_EQ(after_restart.rows_parked(), 1U);
    const auto found = after_restart.find(at);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->error, "no room for NaN");
    OpenLetter open;
    ASSERT_TRUE(after_restart.open(at, open).is_ok());
    EXPECT_EQ(open.records().epoch, 9U);
    EXPECT_EQ(open.records().relation_flags, 1);
    EXPECT_TRUE(std::ranges::equal(open.records().relation, records().relation));
    EXPECT_TRUE(std::ranges::equal(open.records().change, records().change));
    EXPECT_EQ(DeadLetters(folder_, 8).rows_parked(), 0U);
}

TEST_F(LettersTest, AChangeIsRefusedOnceAndNeverWithoutAPosition) {
    DeadLetters letters(folder_, 7);
    Parking parking(letters, no_skips_);
    EXPECT_FALSE(parking.refuse({0, 0}, "", ""));
    EXPECT_FALSE(parking.refuse({0x1000, 0}, "", ""));
    EXPECT_TRUE(parking.refuse({0x1000, 1}, "", ""));
    EXPECT_FALSE(parking.refuse({0x1000, 1}, "", ""));
    ASSERT_TRUE(parking.park(letter({0x1000, 1}), records()).is_ok());
    ASSERT_TRUE(parking.park(letter({0x1000, 1}), records()).is_ok());
    EXPECT_EQ(letters.rows_parked(), 1U);
}

TEST_F(LettersTest, ASkippedChangeNamesWhoSaidSo) {
    const std::map<Position, std::string> skips{{{0x2000, 1}, "alice"}};
    DeadLetters letters(folder_, 7);
    Parking parking(letters, skips);
    ASSERT_TRUE(parking.load().is_ok());
    ASSERT_TRUE(parking.knows({0x2000, 1}));
    ASSERT_TRUE(parking.park(letter({0x2000, 1}), records()).is_ok());
    std::uint64_t version = 0;
    const auto changed = letters.changed_since(version);
    ASSERT_EQ(changed.size(), 1U);
    EXPECT_EQ(changed[0].error, "skipped by alice");
    EXPECT_TRUE(letters.changed_since(version).empty());
}

TEST_F(LettersTest, ADamagedFileIsRefusedByName) {
    DeadLetters letters(folder_, 7);
    ASSERT_TRUE(letters.put(letter({0x1000, 1}), records()).is_ok());
    const std::string path = folder_ + "/letters/7/0000000000001000-1.letter";
    ASSERT_TRUE(std::filesystem::exists(path));
    std::ofstream(path) << "{";
    const auto loaded = letters.load();
    EXPECT_EQ(loaded.kind(), StatusKind::corruption);
    EXPECT_NE(loaded.text().find(path), std::string::npos);
}

RowKey key_of(std::uint64_t row) {
    RowKey key;
    key.rows = {row};
    return key;
}

TEST_F(LettersTest, ALaterChangeOfTheSameRowSupersedesUnlessItIsALetterItself) {
    const Position first{0x1000, 1}, second{0x2000, 5}, third{0x3000, 1};
    DeadLetters letters(folder_, 7);
    ASSERT_TRUE(letters.put(letter(first), records()).is_ok());
    const auto state = [&](const DeadLetters& of) { return of.find(first)->state; };
    const auto same = key_of(1), other = key_of(2);
    ASSERT_TRUE(letters.supersede(16384, &other, second).is_ok());
    ASSERT_TRUE(letters.supersede(16385, &same, second).is_ok());
    ASSERT_TRUE(letters.supersede(16384, &same, {0x1000, 0}).is_ok());
    EXPECT_EQ(state(letters), LetterState::parked);
    ASSERT_TRUE(letters.supersede(16384, &same, second).is_ok());
    EXPECT_EQ(state(letters), LetterState::superseded);
    EXPECT_FALSE(letters.any_waits());

    // The second is refused, too: the first may be delivered again, as far as it goes.
    ASSERT_TRUE(letters.put(letter(second), records()).is_ok());
    EXPECT_EQ(state(letters), LetterState::parked);
    ASSERT_TRUE(letters.supersede(16384, &same, third).is_ok());
    DeadLetters after_restart(folder_, 7);
    ASSERT_TRUE(after_restart.load().is_ok());
    EXPECT_EQ(state(after_restart), LetterState::superseded);
    EXPECT_EQ(after_restart.find(first)->superseded_by, third);
    EXPECT_EQ(after_restart.rows_parked(), 2U);
}

TEST_F(LettersTest, WhatWasOnItsWayWhenFanoutdDiedSupersedesNothingIfItIsALetter) {
    const Position first{0x1000, 1}, second{0x2000, 5};
    DeadLetters letters(folder_, 7);
    ASSERT_TRUE(letters.put(letter(first), records()).is_ok());
    ASSERT_TRUE(letters.put(letter(second), records()).is_ok());
    const auto same = key_of(1);
    ASSERT_TRUE(letters.supersede(16384, &same, second).is_ok());  // a redrive of the second
    DeadLetters after_restart(folder_, 7);
    ASSERT_TRUE(after_restart.load().is_ok());
    EXPECT_EQ(after_restart.find(first)->state, LetterState::parked);
    // The target's note says that it had arrived.
    ASSERT_TRUE(after_restart.delivered(second).is_ok());
    EXPECT_EQ(after_restart.find(first)->state, LetterState::superseded);
    EXPECT_EQ(after_restart.rows_parked(), 1U);
}

TEST_F(LettersTest, ADeliveredLetterIsRememberedUntilTheSourceKnows) {
    const Position at{0x1000, 1};
    DeadLetters letters(folder_, 7);
    ASSERT_TRUE(letters.put(letter(at), records()).is_ok());
    ASSERT_TRUE(letters.delivered(at).is_ok());
    EXPECT_EQ(letters.rows_parked(), 0U);
    EXPECT_EQ(letters.parked(), 0U);
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/letters/7/0000000000001000-1.letter"));

    DeadLetters still_asked(folder_, 7);
    Parking asked(still_asked, no_skips_, {at});
    ASSERT_TRUE(asked.load().is_ok());
    ASSERT_TRUE(still_asked.find(at));
    EXPECT_EQ(still_asked.find(at)->state, LetterState::delivered);
    DeadLetters known(folder_, 7);
    Parking parking(known, no_skips_);
    ASSERT_TRUE(parking.load().is_ok());
    EXPECT_FALSE(known.find(at));
    EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/letters/7"));
}

TEST_F(LettersTest, ALetterRefusedAgainKeepsTheNewReasonAndItsRecords) {
    const Position at{0x1000, 1};
    DeadLetters letters(folder_, 7);
    ASSERT_TRUE(letters.put(letter(at), records()).is_ok());
    letters.take_in_hand(at);
    EXPECT_EQ(letters.rows_parked(), 0U);
    ASSERT_TRUE(letters.refused_again(at, "still no room", "hint").is_ok());
    EXPECT_EQ(letters.rows_parked(), 1U);
    DeadLetters after_restart(folder_, 7);
    ASSERT_TRUE(after_restart.load().is_ok());
    EXPECT_EQ(after_restart.find(at)->error, "still no room");
    EXPECT_EQ(after_restart.find(at)->attempts, 2U);
    OpenLetter open;
    ASSERT_TRUE(after_restart.open(at, open).is_ok());
    EXPECT_EQ(open.records().change.size(), 4U);
}

TEST_F(LettersTest, ACopiedRowThatMayPassIsTriedAgainBeforeItIsLeftOut) {
    DeadLetters letters(folder_, 7);
    Parking parking(letters, no_skips_);
    EXPECT_FALSE(parking.refuse_copy(16384, 1, {"twice there", ""}, true));
    EXPECT_EQ(parking.copy_refused(16384, 1), nullptr);
    EXPECT_TRUE(parking.refuse_copy(16384, 1, {"twice there", ""}, false));
    ASSERT_NE(parking.copy_refused(16384, 1), nullptr);
    EXPECT_EQ(parking.copy_refused(16384, 1)->error, "twice there");
    parking.copies_landed(16385);
    EXPECT_NE(parking.copy_refused(16384, 1), nullptr);
    parking.copies_landed(16384);
    EXPECT_EQ(parking.copy_refused(16384, 1), nullptr);
}

}  // namespace
}  // namespace fanout::letters
