#include "_kit/value_text.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <random>

#include "test_row.hpp"

namespace fanout::kit {
namespace {

template <typename T>
std::string text_of(Oid32 oid, T value) {
    TestRow row;
    row.fixed("x", oid, value);
    return value_text(row.table().columns[0], row.values()[0]);
}

/// What the library prints in plain notation; ours only moves the point in the shortest digits.
template <typename T>
void expect_plain(Oid32 oid, T value) {
    char text[512];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr;
    EXPECT_EQ(text_of(oid, value), std::string(text, end));
}

TEST(ValueText, floats_of_middling_size_are_in_plain_notation) {
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> exponent8(-3.9, 14.9), exponent4(-3.9, 5.9);
    for (int i = 0; i < 20'000; ++i) {
        const double sign = i % 2 == 0 ? 1 : -1;
        expect_plain(type_oid::kFloat8, sign * std::pow(10.0, exponent8(random)));
        expect_plain(type_oid::kFloat8, sign * std::trunc(std::pow(10.0, exponent8(random))));
        expect_plain(type_oid::kFloat4,
                     static_cast<float>(sign * std::pow(10.0, exponent4(random))));
    }
    for (const double value : {1.0, 1.5, 10.0, 0.5, 0.0001, 123456789012345.0, 100000000000000.0,
                               999999999999999.0, 0.1, 1e14, 2.5e-4})
        expect_plain(type_oid::kFloat8, value);
}

TEST(ValueText, floats_beyond_have_an_exponent) {
    EXPECT_EQ(text_of(type_oid::kFloat8, 1e15), "1e+15");
    EXPECT_EQ(text_of(type_oid::kFloat8, -1.25e-5), "-1.25e-05");
    EXPECT_EQ(text_of(type_oid::kFloat4, 1e6F), "1e+06");
    EXPECT_EQ(text_of(type_oid::kFloat8, 0.0), "0");
    EXPECT_EQ(text_of(type_oid::kFloat8, -0.0), "-0");
}

TEST(ValueText, moments_with_few_and_many_digits) {
    EXPECT_EQ(text_of<std::int64_t>(type_oid::kTimestamp, 0), "2000-01-01 00:00:00");
    EXPECT_EQ(text_of<std::int64_t>(type_oid::kTimestamp, 1'500'000), "2000-01-01 00:00:01.5");
    EXPECT_EQ(text_of<std::int64_t>(type_oid::kTimestamptz, 1), "2000-01-01 00:00:00.000001+00");
    EXPECT_EQ(text_of<std::int32_t>(type_oid::kDate, -1), "1999-12-31");
    EXPECT_EQ(text_of<std::int32_t>(type_oid::kDate, -730'120), "0001-12-31 BC");
    EXPECT_EQ(text_of<std::int32_t>(type_oid::kDate, 2'145'031'948), "5874897-12-31");
}

}  // namespace
}  // namespace fanout::kit
