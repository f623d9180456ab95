// Records: what is written is read, and what is wrong is refused by name.
#include <gtest/gtest.h>

#include "tests/unit/wire/sample_records.hpp"

namespace fanout::testing {
namespace {

using wire::Refusal;

std::vector<std::uint8_t> sample(const std::string& name) {
    for (auto& [kind, bytes] : sample_records()) {
        if (kind == name) return bytes;
    }
    ADD_FAILURE() << name;
    return {};
}

Refusal read(const std::vector<std::uint8_t>& bytes) {
    wire::RecordView record;
    return wire::read_record({bytes.data(), bytes.size()}, record);
}

/// Copies exactly into the heap, so that a read beyond the end is seen by a sanitizer.
Refusal read_exact(const std::uint8_t* bytes, std::size_t size) {
    return read(std::vector<std::uint8_t>(bytes, bytes + size));
}

void patch_checksum(std::vector<std::uint8_t>& bytes) {
    const auto checksum = wire::record_checksum(bytes.data(), bytes.size());
    std::memcpy(bytes.data() + 4, &checksum, sizeof checksum);
}

TEST(RecordTest, EveryKindIsReadBack) {
    for (const auto& [name, bytes] : sample_records()) {
        wire::RecordView record;
        ASSERT_EQ(wire::read_record({bytes.data(), bytes.size()}, record), Refusal::none) << name;
        EXPECT_EQ(record.whole.size(), bytes.size());
        EXPECT_EQ(bytes.size() % wire::kAlignment, 0u);
        EXPECT_EQ(record.header.epoch, 3u);
        EXPECT_EQ(record.header.lsn, 0x16B374D848u);
    }
}

TEST(RecordTest, EveryTagIsReadBack) {
    const auto bytes = sample("update");
    wire::RecordView record;
    ASSERT_EQ(wire::read_record({bytes.data(), bytes.size()}, record), Refusal::none);
    wire::BodyCursor cursor(record.body);
    const auto row = cursor.take<wire::RowBody>();
    EXPECT_EQ(row.relation, 16400u);
    EXPECT_EQ(row.old_image, static_cast<std::uint8_t>(wire::OldImage::key));
    wire::ValueView value;
    ASSERT_EQ(wire::take_value(cursor, 4, value), Refusal::none);
    EXPECT_EQ(value.data[0], 41);
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(wire::take_value(cursor, 0, value), Refusal::none);
        EXPECT_EQ(value.tag, wire::Tag::absent);
    }
    ASSERT_EQ(wire::take_value(cursor, 4, value), Refusal::none);
    EXPECT_EQ(value.data.size(), 4u);
    ASSERT_EQ(wire::take_value(cursor, 0, value), Refusal::none);
    EXPECT_EQ(std::string(value.data.begin(), value.data.end()), "naïve");
    ASSERT_EQ(wire::take_value(cursor, 0, value), Refusal::none);
    EXPECT_EQ(value.tag, wire::Tag::null);
    ASSERT_EQ(wire::take_value(cursor, 0, value), Refusal::none);
    EXPECT_EQ(value.tag, wire::Tag::unchanged);
    EXPECT_TRUE(cursor.at_end());
}

TEST(RecordTest, ATruncatedRecordIsRefusedAtEveryLength) {
    for (const auto& [name, bytes] : sample_records()) {
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            ASSERT_EQ(read_exact(bytes.data(), size), Refusal::truncated) << name << " " << size;
        }
    }
}

TEST(RecordTest, EveryFlippedBitIsFound) {
    for (const auto& [name, original] : sample_records()) {
        for (std::size_t bit = 0; bit < original.size() * 8; ++bit) {
            auto bytes = original;
            bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
            ASSERT_NE(read(bytes), Refusal::none) << name << " bit " << bit;
        }
    }
}

TEST(RecordTest, ImpossibleLengthsAreRefused) {
    for (const std::uint32_t length : {0U, 8U, 31U, 33U, 36U, wire::kRecordBytesMax + 8, ~0U}) {
        auto bytes = sample("insert");
        std::memcpy(bytes.data(), &length, sizeof length);
        EXPECT_EQ(read(bytes), Refusal::bad_length) << length;
    }
}

TEST(RecordTest, UnknownKindsAreRefused) {
    for (const int kind : {0, wire::kKindMax + 1, 255}) {
        auto bytes = sample("insert");
        bytes[8] = static_cast<std::uint8_t>(kind);
        patch_checksum(bytes);
        EXPECT_EQ(read(bytes), Refusal::unknown_kind);
    }
}

TEST(RecordTest, AValueWithAnUnknownTagOrBeyondItsRecordIsRefused) {
    const auto take = [](std::initializer_list<std::uint8_t> bytes, std::uint16_t width) {
        const std::vector<std::uint8_t> exact(bytes);
        wire::BodyCursor cursor({exact.data(), exact.size()});
        wire::ValueView value;
        return wire::take_value(cursor, width, value);
    };
    EXPECT_EQ(take({4}, 0), Refusal::bad_tag);
    EXPECT_EQ(take({255}, 4), Refusal::bad_tag);
    EXPECT_EQ(take({}, 0), Refusal::short_body);
    EXPECT_EQ(take({2, 1, 2, 3}, 4), Refusal::short_body);
    EXPECT_EQ(take({2, 1, 0, 0}, 0), Refusal::short_body);
    EXPECT_EQ(take({2, 2, 0, 0, 0, 9}, 0), Refusal::short_body);
    EXPECT_EQ(take({2, 255, 255, 255, 255}, 0), Refusal::short_body);
    EXPECT_EQ(take({2, 0, 0, 0, 0}, 0), Refusal::none);
}

TEST(RecordTest, ACursorStopsForGoodAtTheFirstFieldThatDoesNotFit) {
    const std::uint8_t bytes[] = {3, 0, 'a', 'b'};
    wire::BodyCursor cursor(bytes);
    EXPECT_EQ(cursor.take_text(), "");
    EXPECT_FALSE(cursor.ok());
    EXPECT_EQ(cursor.take<std::uint8_t>(), 0);
    EXPECT_FALSE(cursor.at_end());
}

TEST(RecordTest, PaddingIsZero) {
    for (const auto& [name, bytes] : sample_records()) {
        if (name != "insert") continue;
        EXPECT_EQ(bytes[bytes.size() - 1], 0) << "no bytes of the server leak out";
    }
}

TEST(RecordTest, AWriterThatHasNoRoomSaysSoAndWritesNothingBeyond) {
    for (std::size_t room = 0; room < 64; ++room) {
        std::vector<std::uint8_t> out(room + 8, 0xEE);
        wire::RecordWriter writer(out.data(), room);
        writer.start(wire::Kind::keepalive, 0, 1, 1, 0);
        writer.put(wire::KeepaliveBody{1});
        EXPECT_EQ(writer.finish(), room < 40 ? 0u : 40u);
        for (std::size_t i = room; i < out.size(); ++i)
            EXPECT_EQ(out[i], 0xEE);
    }
    std::uint8_t small[64];
    wire::RecordWriter writer(small, sizeof small);
    writer.start(wire::Kind::relation, 0, 1, 1, 0);
    writer.put_text(std::string(70'000, 'x'));
    EXPECT_EQ(writer.finish(), 0u);
}

}  // namespace
}  // namespace fanout::testing
