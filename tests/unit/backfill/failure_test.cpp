// What makes a copy count as failed, and what takes that back.
#include <gtest/gtest.h>

#include "sidecar/backfill/table_copy.hpp"

namespace fanout::backfill {
namespace {

std::shared_ptr<const KeyValues> key(const std::string& text) {
    return std::make_shared<const KeyValues>(KeyValues{text});
}

TableCopy failing(const FailedAt& at, unsigned times) {
    TableCopy copy;
    copy.state = CopyState::copying;
    for (unsigned i = 0; i < times; ++i)
        copy.failed(at, "division by zero");
    return copy;
}

TEST(FailureTest, so_many_in_succession) {
    const FailedAt at{false, key("m")};
    EXPECT_EQ(failing(at, TableCopy::kFailuresMax - 1).report().state, "copying");
    const auto copy = failing(at, TableCopy::kFailuresMax);
    EXPECT_EQ(copy.report().state, "failed");
    EXPECT_EQ(copy.report().last_error, "division by zero");
}

TEST(FailureTest, other_chunks_say_nothing) {
    auto copy = failing({false, key("m")}, TableCopy::kFailuresMax);
    EXPECT_FALSE(copy.succeeded({false, key("z")}));
    EXPECT_FALSE(copy.succeeded({false, nullptr}));
    EXPECT_FALSE(copy.succeeded({true, nullptr}));  // the table can be looked at
    EXPECT_EQ(copy.report().state, "failed");
    EXPECT_TRUE(copy.succeeded({false, key("m")}));
    EXPECT_EQ(copy.report().state, "copying");
    EXPECT_EQ(copy.report().last_error, "");
    EXPECT_FALSE(copy.succeeded({false, key("m")}));  // no news
}

TEST(FailureTest, after_a_look_any_success_does) {
    auto copy = failing({true, nullptr}, TableCopy::kFailuresMax);
    EXPECT_TRUE(copy.succeeded({false, key("m")}));
    EXPECT_EQ(copy.report().state, "copying");
}

TEST(FailureTest, what_is_complete_or_paused_is_that) {
    auto copy = failing({false, nullptr}, TableCopy::kFailuresMax);
    copy.request.paused = true;
    EXPECT_EQ(copy.report().state, "paused");
    copy.request.paused = false;
    copy.state = CopyState::complete;
    EXPECT_EQ(copy.report().state, "complete");
}

TEST(FailureTest, a_copy_that_begins_anew_has_not_succeeded_by_that) {
    auto copy = failing({false, nullptr}, TableCopy::kFailuresMax);
    copy.restart();
    EXPECT_EQ(copy.report().state, "failed");
}

}  // namespace
}  // namespace fanout::backfill
