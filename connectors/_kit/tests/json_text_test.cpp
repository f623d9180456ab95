#include "_kit/json_text.hpp"

#include <gtest/gtest.h>

namespace fanout::kit {
namespace {

std::string quoted(std::string_view text) {
    std::string out;
    EXPECT_TRUE(append_json_string(out, text));
    return out;
}

std::string base64(std::string_view bytes) {
    std::string out;
    append_base64(out, bytes);
    return out;
}

std::string document(std::string_view text) {
    std::string out;
    EXPECT_TRUE(append_json_document(out, text));
    return out;
}

TEST(JsonText, escapes_quotes_backslashes_and_every_control_character) {
    EXPECT_EQ(quoted("a\"b\\c/d"), R"("a\"b\\c/d")");
    EXPECT_EQ(quoted("\b\f\n\r\t"), R"("\b\f\n\r\t")");
    EXPECT_EQ(quoted(std::string_view("\0\x01\x1F\x7F", 4)), R"("\u0000\u0001\u001f\u007f")");
}

TEST(JsonText, keeps_well_formed_utf8_as_it_is) {
    EXPECT_EQ(quoted("ä€🙂\xF4\x8F\xBF\xBF"), "\"ä€🙂\xF4\x8F\xBF\xBF\"");
}

TEST(JsonText, refuses_bytes_that_are_not_utf8_and_leaves_no_trace) {
    for (const char* bad : {"a\xFFz", "\x80", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80",
                            "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xE2\x82"}) {
        std::string out = "before";
        EXPECT_FALSE(is_utf8(bad));
        EXPECT_FALSE(append_json_string(out, bad));
        EXPECT_FALSE(append_json_document(out, bad));
        EXPECT_EQ(out, "before");
    }
}

TEST(JsonText, shows_the_bytes_of_a_name_that_is_not_utf8) {
    std::string out;
    append_json_name(out, "ab\xE4\xC3\xA4");
    EXPECT_EQ(out, R"("ab\\xe4ä")");
}

/// Eight bytes are looked at together: each special byte, at each place of each length.
TEST(JsonText, finds_a_special_byte_wherever_it_stands) {
    for (int byte = 0; byte < 0x80; ++byte) {
        const bool plain = byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7F;
        for (std::size_t length = 1; length < 20; ++length) {
            for (std::size_t at = 0; at < length; ++at) {
                std::string text(length, '~');
                text[at] = static_cast<char>(byte);
                const std::string alone = quoted(std::string_view(&text[at], 1));
                EXPECT_EQ(alone.size() == 3, plain);
                EXPECT_EQ(quoted(std::string_view(text)),
                          "\"" + std::string(at, '~') + alone.substr(1, alone.size() - 2) +
                              std::string(length - at - 1, '~') + "\"");
            }
        }
    }
}

TEST(JsonText, encodes_base64_of_every_length_and_byte) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64(std::string_view("\xFF\xFE\x00\x80", 4)), "//4AgA==");
}

TEST(JsonText, puts_a_document_on_one_line_and_changes_nothing_else) {
    EXPECT_EQ(document("{\"a\" :\t1.0,\r\n \"b\": \"x\\ny\"}"),
              "{\"a\" :\t1.0,   \"b\": \"x\\ny\"}");
}

}  // namespace
}  // namespace fanout::kit
