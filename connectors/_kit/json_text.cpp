#include "_kit/json_text.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fanout::kit {
namespace {

enum ByteClass : std::uint8_t { kPlain, kEscaped, kMultiByte };

constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (std::size_t i = 0; i < 0x20; ++i)
        classes[i] = kEscaped;
    for (std::size_t i = 0x80; i < 0x100; ++i)
        classes[i] = kMultiByte;
    classes['"'] = classes['\\'] = classes[0x7F] = kEscaped;
    return classes;
}

constexpr auto kClasses = make_classes();

std::uint8_t byte_at(std::string_view text, std::size_t at) {
    return static_cast<std::uint8_t>(text[at]);
}

/// Length of the well-formed UTF-8 sequence at `at`, 0 if there is none (overlong forms,
/// surrogates and values above U+10FFFF are none).
std::size_t sequence_length(std::string_view text, std::size_t at) {
    const std::uint8_t lead = byte_at(text, at);
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (text.size() - at < length) return 0;
    const std::uint8_t second = byte_at(text, at + 1);
    const std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (second < low || second > high) return 0;
    for (std::size_t i = 2; i < length; ++i)
        if ((byte_at(text, at + i) & 0xC0) != 0x80) return 0;
    return length;
}

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\b':
            out += "\\b";
            return;
        case '\f':
            out += "\\f";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default: {
            constexpr char kHex[] = "0123456789abcdef";
            const auto byte = static_cast<std::uint8_t>(c);
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 0xF];
        }
    }
}

/// The high bit of the first byte in `word` that is not of class kPlain, and perhaps of bytes
/// behind it; 0 if all eight are.
constexpr std::uint64_t first_not_plain(std::uint64_t word) {
    constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
    const auto below = [&](std::uint64_t limit) { return (word - kOnes * limit) & ~word; };
    const auto equal = [&](std::uint64_t byte) {
        const std::uint64_t difference = word ^ kOnes * byte;
        return (difference - kOnes) & ~difference;
    };
    return (word | below(0x20) | equal('"') | equal('\\') | equal(0x7F)) & kHigh;
}

/// Where the first byte that is not plain stands, from `at` on.
std::size_t end_of_plain(std::string_view text, std::size_t at) {
    static_assert(std::endian::native == std::endian::little);
    for (; text.size() - at >= 8; at += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, sizeof word);
        if (const std::uint64_t found = first_not_plain(word); found != 0)
            return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
    while (at < text.size() && kClasses[byte_at(text, at)] == kPlain)
        ++at;
    return at;
}

/// Copies `text` in runs; `special` handles each byte of class kEscaped. False if it is not UTF-8:
/// then `out` is as it was.
template <typename Special>
bool append_checked(std::string& out, std::string_view text, Special&& special) {
    const std::size_t start = out.size();
    std::size_t run = 0, at = 0;
    const auto flush_run = [&] { out.append(text.data() + run, at - run); };
    while ((at = end_of_plain(text, at)) < text.size()) {
        const std::uint8_t kind = kClasses[byte_at(text, at)];
        if (kind == kMultiByte) {
            const std::size_t length = sequence_length(text, at);
            if (length == 0) {
                out.resize(start);
                return false;
            }
            at += length;
        } else {
            flush_run();
            special(text[at]);
            run = ++at;
        }
    }
    flush_run();
    return true;
}

}  // namespace

bool append_json_string(std::string& out, std::string_view text) {
    out += '"';
    if (!append_checked(out, text, [&out](char c) { append_escape(out, c); })) {
        out.pop_back();
        return false;
    }
    out += '"';
    return true;
}

void append_json_name(std::string& out, std::string_view name) {
    if (append_json_string(out, name)) return;
    std::string shown;
    for (std::size_t at = 0; at < name.size();) {
        if (const std::size_t length = sequence_length(name, at)) {
            shown += name.substr(at, length);
            at += length;
            continue;
        }
        constexpr char kHex[] = "0123456789abcdef";
        const std::uint8_t byte = byte_at(name, at++);
        shown += {'\\', 'x', kHex[byte >> 4], kHex[byte & 0xF]};
    }
    static_cast<void>(append_json_string(out, shown));
}

bool append_json_document(std::string& out, std::string_view document) {
    return append_checked(out, document,
                          [&out](char c) { out += (c == '\n' || c == '\r') ? ' ' : c; });
}

void append_base64(std::string& out, std::string_view bytes) {
    constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t start = out.size();
    out.resize(start + (bytes.size() + 2) / 3 * 4);
    char* to = out.data() + start;
    std::size_t at = 0;
    for (; at + 3 <= bytes.size(); at += 3) {
        const std::uint32_t group = static_cast<std::uint32_t>(byte_at(bytes, at)) << 16 |
                                    static_cast<std::uint32_t>(byte_at(bytes, at + 1)) << 8 |
                                    byte_at(bytes, at + 2);
        for (int shift = 18; shift >= 0; shift -= 6)
            *to++ = kAlphabet[(group >> shift) & 63];
    }
    const std::size_t rest = bytes.size() - at;
    if (rest == 0) return;
    const std::uint32_t first = byte_at(bytes, at);
    const std::uint32_t second = rest == 2 ? byte_at(bytes, at + 1) : 0;
    *to++ = kAlphabet[first >> 2];
    *to++ = kAlphabet[(first & 3) << 4 | second >> 4];
    *to++ = rest == 2 ? kAlphabet[(second & 15) << 2] : '=';
    *to++ = '=';
}

bool is_utf8(std::string_view text) {
    constexpr std::uint64_t kHighBits = 0x8080808080808080;
    for (std::size_t at = 0; at < text.size();) {
        std::uint64_t eight;
        if (text.size() - at >= sizeof eight) {
            std::memcpy(&eight, text.data() + at, sizeof eight);
            if ((eight & kHighBits) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        const std::size_t length = sequence_length(text, at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

}  // namespace fanout::kit
