// See figures.hpp.
#include "fanoutctl/figures.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace fanout::ctl {
namespace {

struct Character {
    char32_t code;      // 0xFFFD: malformed
    std::size_t bytes;  // at least 1
};

Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (size == 0 || lead > 0xF4 || text.size() < size) return {0xFFFD, 1};
    char32_t code = lead & (0xFFu >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {0xFFFD, 1};
        code = (code << 6) | (byte(i) & 0x3Fu);
    }
    return {code, size};
}

struct Range {
    char32_t first, last;
};

constexpr std::array<Range, 9> kWide{{{0x1100, 0x115F},
                                      {0x2E80, 0xA4CF},
                                      {0xAC00, 0xD7A3},
                                      {0xF900, 0xFAFF},
                                      {0xFE30, 0xFE6F},
                                      {0xFF00, 0xFF60},
                                      {0xFFE0, 0xFFE6},
                                      {0x1F300, 0x1FAFF},
                                      {0x20000, 0x3FFFD}}};

std::size_t columns(char32_t code) {
    if (code >= 0x0300 && code <= 0x036F) return 0;
    if (code == 0x200B || code == 0x200D || code == 0xFEFF) return 0;
    for (const auto& range : kWide)
        if (code >= range.first && code <= range.last) return 2;
    return 1;
}

/// What could move the cursor, hide text or turn its direction.
bool is_unprintable(char32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xFFFD || code == 0x061C ||
           (code >= 0x200E && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

/// Three digits that matter: 1.23, 12.3, 123.
std::string three_digits(double value) {
    if (value < 9.995) return fmt::format("{:.2f}", value);
    if (value < 99.95) return fmt::format("{:.1f}", value);
    return fmt::format("{:.0f}", value);
}

}  // namespace

std::string count_text(double value) {
    if (value < 0) return "-" + count_text(-value);
    if (value < 99'999.5) {
        const auto whole = static_cast<std::int64_t>(std::llround(value));
        if (whole < 1000) return fmt::format("{}", whole);
        return fmt::format("{},{:03}", whole / 1000, whole % 1000);
    }
    if (value < 999'500) return fmt::format("{:.0f} k", value / 1e3);
    if (value < 999.5e6) return three_digits(value / 1e6) + " M";
    return three_digits(value / 1e9) + " G";
}

std::string size_text(double bytes) {
    constexpr std::array<const char*, 6> kUnits{"B", "kB", "MB", "GB", "TB", "PB"};
    std::size_t unit = 0;
    while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
        bytes /= 1024;
        ++unit;
    }
    if (unit == 0 || bytes >= 9.95) return fmt::format("{:.0f} {}", bytes, kUnits[unit]);
    return fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string duration_text(double seconds) {
    if (seconds < 0) return "";
    if (seconds == 0) return "0 s";
    if (seconds < 0.995) return fmt::format("{:.2f} s", seconds);
    if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<std::int64_t>(std::llround(seconds));
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
    if (whole < 86400)
        return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
    return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto next = first_character(text);
        width += columns(next.code);
        text.remove_prefix(next.bytes);
    }
    return width;
}

std::string printable(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const auto next = first_character(text);
        if (is_unprintable(next.code)) {
            clean += '?';
        } else {
            clean.append(text.substr(0, next.bytes));
        }
        text.remove_prefix(next.bytes);
    }
    return clean;
}

std::string cut(std::string_view text, std::size_t width, bool unicode) {
    if (width_of(text) <= width) return std::string(text);
    if (width == 0) return "";
    std::string kept;
    std::size_t used = 0;
    while (!text.empty()) {
        const auto next = first_character(text);
        if (used + columns(next.code) > width - 1) break;
        used += columns(next.code);
        kept.append(text.substr(0, next.bytes));
        text.remove_prefix(next.bytes);
    }
    return kept + (unicode ? "…" : "~");
}

}  // namespace fanout::ctl
