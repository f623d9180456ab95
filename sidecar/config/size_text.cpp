// Reads a number and looks its suffix up in a table. No locale, no floating point.
#include "sidecar/config/size_text.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <span>

namespace fanout::config {
namespace {

struct Unit {
    std::string_view suffix;  // lower case
    std::uint64_t factor;
};

constexpr std::array<Unit, 6> kSizes{{{"", 1},
                                      {"b", 1},
                                      {"kb", 1ULL << 10},
                                      {"mb", 1ULL << 20},
                                      {"gb", 1ULL << 30},
                                      {"tb", 1ULL << 40}}};
constexpr std::array<Unit, 5> kDurations{
    {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}}};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

std::optional<std::uint64_t> parse(std::string_view text, std::span<const Unit> units) {
    text = trimmed(text);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    std::string suffix;
    for (const char c : trimmed(text.substr(static_cast<std::size_t>(end - text.data()))))
        suffix += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const auto& unit : units) {
        if (unit.suffix != suffix) continue;
        if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
        return number * unit.factor;
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
    return parse(text, kSizes);
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
    const auto seconds = parse(text, kDurations);
    if (!seconds) return std::nullopt;
    return std::chrono::seconds(static_cast<std::int64_t>(*seconds));
}

std::string size_text(std::uint64_t bytes) {
    static constexpr std::array<std::string_view, 5> kNames{"B", "kB", "MB", "GB", "TB"};
    std::size_t unit = 0;
    while (unit + 1 < kNames.size() && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        ++unit;
    }
    return std::to_string(bytes) + std::string(kNames[unit]);
}

}  // namespace fanout::config
