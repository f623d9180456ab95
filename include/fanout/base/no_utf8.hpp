// How a text that has no form in UTF-8 begins: two bytes, then those that the source stores. No
// text of PostgreSQL has a byte 0, and no UTF-8 a byte 0xFF.
#pragma once

#include <cstdint>

namespace fanout {

inline constexpr std::uint8_t kNoUtf8[2] = {0xFF, 0x00};

}  // namespace fanout
