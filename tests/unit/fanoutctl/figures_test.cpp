// Numbers, names and columns as fanoutctl writes them.
#include "fanoutctl/figures.hpp"

#include <gtest/gtest.h>

#include "fanoutctl/table.hpp"

namespace fanout::ctl {
namespace {

TEST(Figures, CountsTakeSevenCharacters) {
    EXPECT_EQ(count_text(0), "0");
    EXPECT_EQ(count_text(999), "999");
    EXPECT_EQ(count_text(12'345), "12,345");
    EXPECT_EQ(count_text(99'999.4), "99,999");
    EXPECT_EQ(count_text(99'999.6), "100 k");
    EXPECT_EQ(count_text(1'234'567), "1.23 M");
    EXPECT_EQ(count_text(999'600), "1.00 M");
    EXPECT_EQ(count_text(12'345'678), "12.3 M");
    EXPECT_EQ(count_text(4.2e9), "4.20 G");
    for (double value = 1; value < 1e12; value *= 1.07)
        EXPECT_LE(count_text(value).size(), 7u) << value;
}

TEST(Figures, Sizes) {
    EXPECT_EQ(size_text(0), "0 B");
    EXPECT_EQ(size_text(999), "999 B");
    EXPECT_EQ(size_text(1024), "1.0 kB");
    EXPECT_EQ(size_text(16.0 * 1024 * 1024), "16 MB");
    EXPECT_EQ(size_text(1.5 * 1024 * 1024 * 1024), "1.5 GB");
}

TEST(Figures, Durations) {
    EXPECT_EQ(duration_text(0), "0 s");
    EXPECT_EQ(duration_text(0.042), "0.04 s");
    EXPECT_EQ(duration_text(3.14), "3.1 s");
    EXPECT_EQ(duration_text(42), "42 s");
    EXPECT_EQ(duration_text(187), "3:07");
    EXPECT_EQ(duration_text(7387), "2:03:07");
    EXPECT_EQ(duration_text(3 * 86400 + 4 * 3600), "3 d 4 h");
    EXPECT_EQ(duration_text(-1), "");
}

// A table may be called anything, and a terminal obeys what it is sent.
TEST(Figures, NamesCannotCommandTheTerminal) {
    EXPECT_EQ(printable("a\x1b[2Jb"), "a?[2Jb");
    EXPECT_EQ(printable("tab\there\n"), "tab?here?");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m"),
              "?31m");  // CSI as one character
    EXPECT_EQ(printable("\xe2\x80\xae"
                        "gpj.exe"),
              "?gpj.exe");  // right to left
    EXPECT_EQ(printable("\xff\xc3"), "??");
    EXPECT_EQ(printable("größe 表"), "größe 表");
}

TEST(Figures, WidthCountsColumns) {
    EXPECT_EQ(width_of("größe"), 5u);
    EXPECT_EQ(width_of("表"), 2u);
    EXPECT_EQ(width_of("e\xcc\x81"), 1u);
    EXPECT_EQ(cut("customers", 5, true), "cust…");
    EXPECT_EQ(cut("customers", 5, false), "cust~");
    EXPECT_EQ(cut("表表表", 4, true), "表…");
    EXPECT_EQ(cut("customers", 9, true), "customers");
}

TEST(Table, NothingIsWiderThanTheTerminal) {
    const std::vector<Column> columns{{"name", false, 6}, {"share", true, 0}, {"rows", true, 0}};
    const std::vector<std::vector<Cell>> rows{
        {{std::string(70, 'x')}, {"53 %", Color::green, 0.53}, {"1.23 M"}}};
    for (std::size_t width = 30; width < 140; ++width) {
        for (const auto& line : table_lines(columns, rows, {width, 0, false, true}))
            EXPECT_LE(width_of(line), width);
    }
}

TEST(Table, BarsShowTheirShare) {
    const std::vector<Column> columns{{"share", true, 0}};
    const auto bar = [&](double part, bool unicode) {
        return table_lines(columns, {{{"5 %", Color::none, part}}}, {12, 0, false, unicode})[1];
    };
    EXPECT_EQ(bar(0.5, true), "████░░░░ 5 %");
    EXPECT_EQ(bar(0.5625, true), "████▌░░░ 5 %");
    EXPECT_EQ(bar(1, true), "████████ 5 %");
    EXPECT_EQ(bar(0.5, false), "####.... 5 %");
    EXPECT_EQ(bar(7, false), "######## 5 %");
}

}  // namespace
}  // namespace fanout::ctl
