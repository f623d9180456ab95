// The record checksum: low 32 bits of XXH3-64 over everything behind the checksum field.
#pragma once

#include <cstddef>
#include <cstdint>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace fanout::wire {

inline constexpr std::size_t kChecksumFrom = 8;

/// `record` is the whole record, `length` its length (at least a header).
inline std::uint32_t record_checksum(const std::uint8_t* record, std::size_t length) {
    return static_cast<std::uint32_t>(XXH3_64bits(record + kChecksumFrom, length - kChecksumFrom));
}

}  // namespace fanout::wire
