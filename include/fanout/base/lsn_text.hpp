// The text form of an LSN, "16/B374D848", both ways.
#pragma once

#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "fanout/base/ids.hpp"

namespace fanout {

inline std::string lsn_text(Lsn lsn) {
    char buffer[24];
    std::snprintf(buffer, sizeof buffer, "%X/%X", static_cast<unsigned>(lsn >> 32),
                  static_cast<unsigned>(lsn & 0xFFFFFFFFU));
    return buffer;
}

/// Nothing unless `text` is exactly two hexadecimal numbers of at most 32 bits and a slash.
inline std::optional<Lsn> parse_lsn(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos || slash == 0 || slash > 8) return std::nullopt;
    const auto low_text = text.substr(slash + 1);
    if (low_text.empty() || low_text.size() > 8) return std::nullopt;
    std::uint32_t high = 0, low = 0;
    const auto parse = [](std::string_view part, std::uint32_t& out) {
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), out, 16);
        return error == std::errc() && end == part.data() + part.size();
    };
    if (!parse(text.substr(0, slash), high) || !parse(low_text, low)) return std::nullopt;
    return (static_cast<Lsn>(high) << 32) | low;
}

}  // namespace fanout
