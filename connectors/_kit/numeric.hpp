// numeric's stored form: sign, weight and scale in a short or a long header, then base-10000
// digits.
//
// Reads PostgreSQL's on-disk numeric (little-endian, without the varlena header) and writes its
// text form, exactly, or its binary send form. Never goes through a float.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace fanout::kit {

/// A numeric taken apart. `digits` points into the bytes it was read from, unaligned.
struct Numeric {
    enum class Kind : std::uint8_t { finite, nan, positive_infinity, negative_infinity };
    Kind kind = Kind::finite;
    bool negative = false;
    std::int32_t weight = 0;   // of the first digit, in powers of 10000
    std::uint32_t dscale = 0;  // decimal digits after the point
    std::uint32_t digit_count = 0;
    const std::uint8_t* digits = nullptr;

    std::uint16_t digit(std::uint32_t i) const;
};

/// Throws std::invalid_argument if the bytes cannot be a numeric.
Numeric read_numeric(std::span<const std::uint8_t> stored);

/// As numeric_out writes it: "NaN", "-Infinity", "12.50".
void append_numeric_text(std::string& out, const Numeric& value);

/// As numeric_send writes it.
void append_numeric_binary(std::string& out, const Numeric& value);

}  // namespace fanout::kit
