// Sizes and durations as people write them: "64MB", "10 min". Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fanout::config {

/// Whole number with an optional suffix B, kB, MB, GB or TB (powers of 1024, any case). Nothing if
/// it is anything else or does not fit.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// Whole number with an optional suffix s, min, h or d; without one, seconds.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

/// The shortest exact form that parse_size() reads: "64MB", "1500B".
std::string size_text(std::uint64_t bytes);

}  // namespace fanout::config
