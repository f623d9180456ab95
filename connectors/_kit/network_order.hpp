// Integers between the stored form (little-endian, unaligned) and network order. No state.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace fanout::kit {

static_assert(std::endian::native == std::endian::little,
              "stored values are read as the little-endian machine wrote them");

template <typename T>
T load(const std::uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <typename T>
T swap_bytes(T value) {
    if constexpr (sizeof(T) == 2)
        return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
    else if constexpr (sizeof(T) == 4)
        return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
    else
        return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
}

template <typename T>
void append_network(std::string& out, T value) {
    const T swapped = swap_bytes(value);
    out.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
}

/// Overwrites four bytes at `offset`: for lengths known only after what they count.
inline void put_network32(std::string& out, std::size_t offset, std::uint32_t value) {
    const std::uint32_t swapped = swap_bytes(value);
    std::memcpy(out.data() + offset, &swapped, sizeof swapped);
}

}  // namespace fanout::kit
