// Values that come apart from their rows: what a COPY's fields say of them, and the file they stand
// in.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <string>
#include <vector>

#include "sidecar/backfill/copy_row.hpp"
#include "sidecar/backfill/value_file.hpp"

namespace fanout::backfill {
namespace {

using namespace std::string_literals;

const std::string kHeader = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"s;

std::string_view bytes(const fanout_value& value) {
    return {reinterpret_cast<const char*>(value.data), value.size};
}

fanout_column text_column() {
    fanout_column out{};
    out.type_oid = 25;
    out.value_class = FANOUT_BYTES;
    return out;
}

TEST(LargeValueTest, values_stay_where_they_are_while_others_are_added) {
    auto made = ValueFile::make(testing::TempDir());
    ASSERT_TRUE(made.is_ok()) << made.status().text();
    ValueFile& file = *made.value();
    std::vector<fanout_value> values;
    std::vector<std::string> wanted;
    for (std::size_t size : {0U, 1U, 4096U, 5000U, 1'000'000U}) {
        file.begin();
        ASSERT_TRUE(file.append("a value that nobody ends").is_ok());
        file.begin();
        std::string whole;
        for (std::size_t done = 0; done < size; done += 300) {
            const std::string piece(std::min<std::size_t>(300, size - done),
                                    static_cast<char>('a' + size % 7 + done % 11));
            ASSERT_TRUE(file.append(piece).is_ok());
            whole += piece;
        }
        auto value = file.end();
        ASSERT_TRUE(value.is_ok()) << value.status().text();
        values.push_back(value.value());
        wanted.push_back(whole);
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(values[i].state, FANOUT_PRESENT);
        EXPECT_NE(values[i].data, nullptr);
        EXPECT_EQ(bytes(values[i]), wanted[i]);
    }
    EXPECT_EQ(file.bytes(), 0U + 1 + 4096 + 5000 + 1'000'000);
}

TEST(LargeValueTest, no_file_says_where_there_is_no_room) {
    const auto made = ValueFile::make("/does/not/exist");
    ASSERT_FALSE(made.is_ok());
    EXPECT_NE(made.status().text().find("/does/not/exist"), std::string::npos);
    EXPECT_NE(made.status().text().find("make room there"), std::string::npos);
}

/// Of the size of files, until it goes.
class SizeLimit {
  public:
    explicit SizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit lower{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &lower);
    }
    ~SizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    SizeLimit(const SizeLimit&) = delete;
    SizeLimit& operator=(const SizeLimit&) = delete;

  private:
    rlimit before_{};
    void (*handler_)(int);
};

TEST(LargeValueTest, a_write_that_fails_half_way_is_told_and_the_values_before_stay) {
    const SizeLimit limit(1U << 20);
    auto made = ValueFile::make(::testing::TempDir());
    ASSERT_TRUE(made.is_ok());
    ValueFile& file = *made.value();
    const std::string small(5000, 'a'), large(2U << 20, 'b');
    file.begin();
    ASSERT_TRUE(file.append(small).is_ok());
    const auto first = file.end();
    ASSERT_TRUE(first.is_ok());
    file.begin();
    const auto failed = file.append(large);
    EXPECT_EQ(failed.kind(), StatusKind::retry);
    EXPECT_NE(failed.text().find("make room there"), std::string::npos);
    // What was written of it is no part of the next.
    file.begin();
    ASSERT_TRUE(file.append(small).is_ok());
    const auto second = file.end();
    ASSERT_TRUE(second.is_ok());
    EXPECT_EQ(bytes(first.value()), small);
    EXPECT_EQ(bytes(second.value()), small);
    EXPECT_EQ(file.bytes(), 10'000U);
}

TEST(LargeValueTest, a_row_says_what_it_came_without) {
    const fanout_column columns[] = {text_column(), text_column()};
    Piece piece(2);
    piece.expect_left_out();
    const std::string whole = "\0\3"s + "\0\0\0\1a"s + "\0\0\0\1b"s + "\xFF\xFF\xFF\xFF"s;
    const std::string lacking =
        "\0\3"s + "\0\0\0\1c"s + "\xFF\xFF\xFF\xFF"s + "\0\0\0\x09"s + "7 (0,1) 1"s;
    ASSERT_TRUE(piece.add(kHeader + whole, columns));
    EXPECT_TRUE(piece.take_left_out().empty());
    ASSERT_TRUE(piece.add(lacking, columns));
    const auto left_out = piece.take_left_out();
    ASSERT_EQ(left_out.size(), 1U);
    EXPECT_EQ(left_out[0].row, 1U);
    EXPECT_EQ(left_out[0].what, "7 (0,1) 1");
    EXPECT_TRUE(piece.take_left_out().empty());
    const auto file = piece.file(testing::TempDir());
    ASSERT_TRUE(file.is_ok());
    file.value()->begin();
    ASSERT_TRUE(file.value()->append("large").is_ok());
    piece.put(1, 1, file.value()->end().value());
    EXPECT_EQ(bytes(piece.row(1)[0]), "c");
    EXPECT_EQ(bytes(piece.row(1)[1]), "large");
    EXPECT_EQ(piece.file_bytes(), 5U);
    EXPECT_EQ(piece.payload_bytes(), 3U + 5U);
    EXPECT_EQ(piece.refusal(1), nullptr);
    piece.refuse(1, "why");
    EXPECT_EQ(*piece.refusal(1), "why");
    EXPECT_FALSE(Piece(2).add(kHeader + whole, columns));
}

TEST(LargeValueTest, fields_of_a_copy_of_one_column) {
    CopyFields fields;
    EXPECT_FALSE(CopyFields().begin("no header"));
    // What is given has to outlive the fields.
    const std::string row = "\0\1"s + "\0\0\0\3abc"s, first = kHeader + row;
    ASSERT_TRUE(fields.begin(first));
    EXPECT_EQ(fields.next(), "abc");
    EXPECT_EQ(fields.next(), std::nullopt);
    const std::string behind_null = "\0\1\xFF\xFF\xFF\xFF"s + row, empty = "\0\1\0\0\0\0"s;
    ASSERT_TRUE(fields.begin(behind_null));
    EXPECT_EQ(fields.next(), "abc");
    EXPECT_EQ(fields.next(), std::nullopt);
    ASSERT_TRUE(fields.begin(empty));
    EXPECT_EQ(fields.next(), "");
    ASSERT_TRUE(fields.begin("\xFF\xFF"s));
    EXPECT_EQ(fields.next(), std::nullopt);
    EXPECT_FALSE(fields.begin("\0\2\0\0\0\0\0\0\0\0"s));
    EXPECT_FALSE(fields.begin("\0\1\0\0\0\5abc"s));
}

}  // namespace
}  // namespace fanout::backfill
