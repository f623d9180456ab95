// Which keys of a table the stream has touched while its rows are copied: the others' rows cannot
// be at the target yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fanout/connector/abi.h"
#include "sidecar/backfill/key_order.hpp"

namespace fanout::backfill {

/// A set that may take a key for one that it has: a Bloom filter with one hash, of fixed size. Only
/// for keys that are equal where their bytes are. The lane thread's.
class TouchedKeys {
  public:
    TouchedKeys() : bits_(kBits / 64) {}

    void add(const KeyValues& key) { bits_[place(hash(key)) / 64] |= bit(hash(key)); }
    /// `places`: of the key's columns in `image`. False: certainly not.
    bool may_have(const std::vector<std::size_t>& places, const fanout_value* image) const {
        const std::uint64_t found = hash(places, image);
        return (bits_[place(found) / 64] & bit(found)) != 0;
    }

  private:
    // 1 MiB: with 400 000 keys a twentieth of the others is taken for one of them.
    static constexpr std::size_t kBits = std::size_t{8} << 20;

    static std::size_t place(std::uint64_t hash) { return hash % kBits; }
    static std::uint64_t bit(std::uint64_t hash) { return std::uint64_t{1} << (hash % 64); }
    static std::uint64_t hash(const KeyValues& key);
    static std::uint64_t hash(const std::vector<std::size_t>& places, const fanout_value* image);

    std::vector<std::uint64_t> bits_;
};

}  // namespace fanout::backfill
