// Any value as PostgreSQL's own output functions write it, with the settings every session of this
// project pins: DateStyle ISO, TimeZone UTC, IntervalStyle postgres, extra_float_digits 3,
// bytea_output hex, lc_monetary C. Stateless; allocates only in `out`.
#pragma once

#include <string>

#include "fanout/connector/abi.h"

namespace fanout::kit {

/// Appends the text form of a value whose state is FANOUT_PRESENT. Throws std::invalid_argument,
/// naming the column, if the bytes cannot be a value of the column's type.
void append_text(std::string& out, const fanout_column& column, const fanout_value& value);

std::string value_text(const fanout_column& column, const fanout_value& value);

/// "\x" and lower-case hexadecimal digits.
void append_bytea_hex(std::string& out, const std::uint8_t* data, std::size_t size);

}  // namespace fanout::kit
