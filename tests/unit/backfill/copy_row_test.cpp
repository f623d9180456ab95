// Rows of a binary COPY in the stored form that the stream carries.
#include <gtest/gtest.h>

#include <string>

#include "sidecar/backfill/copy_row.hpp"

namespace fanout::backfill {
namespace {

using namespace std::string_literals;

const std::string kHeader = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"s;

fanout_column column(std::uint32_t type, std::uint8_t value_class, std::uint16_t width = 0) {
    fanout_column out{};
    out.type_oid = type;
    out.value_class = value_class;
    out.width = width;
    return out;
}

std::string bytes(const fanout_value& value) {
    return {reinterpret_cast<const char*>(value.data), value.size};
}

TEST(CopyRowTest, turns_fields_into_stored_values) {
    const fanout_column columns[] = {column(23, FANOUT_FIXED, 4), column(25, FANOUT_BYTES),
                                     column(1700, FANOUT_NUMERIC), column(1186, FANOUT_FIXED, 16)};
    Piece piece(4);
    const std::string number =
        "\0\2\0\1\x40\0\0\2\0\1\x09\x29"s;  // -1 and 2345, two after the point
    const std::string row = "\0\4"s + "\0\0\0\4\0\0\1\2"s + "\xFF\xFF\xFF\xFF"s + "\0\0\0\x0C"s +
                            number + "\0\0\0\x10"s + "\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\3"s;
    ASSERT_TRUE(piece.add(kHeader + row, columns));
    ASSERT_TRUE(piece.add("\xFF\xFF"s, columns));
    ASSERT_EQ(piece.rows(), 1U);
    EXPECT_EQ(bytes(piece.row(0)[0]), "\2\1\0\0"s);
    EXPECT_EQ(piece.row(0)[1].state, FANOUT_NULL);
    EXPECT_EQ(bytes(piece.row(0)[2]), "\x01\xA1\1\0\x29\x09"s);
    EXPECT_EQ(bytes(piece.row(0)[3]), "\1\0\0\0\0\0\0\0\2\0\0\0\3\0\0\0"s);
}

TEST(CopyRowTest, refuses_what_is_no_such_row) {
    const fanout_column columns[] = {column(23, FANOUT_FIXED, 4)};
    EXPECT_FALSE(Piece(1).add("nonsense", columns));
    EXPECT_FALSE(Piece(1).add(kHeader + "\0\2"s, columns));
    EXPECT_FALSE(Piece(1).add(kHeader + "\0\1\0\0\0\5aaaaa"s, columns));
    EXPECT_FALSE(Piece(1).add(kHeader + "\0\1\0\0\0\4aaa"s, columns));
}

}  // namespace
}  // namespace fanout::backfill
