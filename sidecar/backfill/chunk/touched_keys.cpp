#include "sidecar/backfill/chunk/touched_keys.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace fanout::backfill {

std::uint64_t TouchedKeys::hash(const KeyValues& key) {
    std::uint64_t hash = 0;
    for (const std::string& value : key)
        hash = XXH3_64bits_withSeed(value.data(), value.size(), hash);
    return hash;
}

std::uint64_t TouchedKeys::hash(const std::vector<std::size_t>& places, const fanout_value* image) {
    std::uint64_t hash = 0;
    for (const std::size_t place : places)
        hash = XXH3_64bits_withSeed(image[place].data, image[place].size, hash);
    return hash;
}

}  // namespace fanout::backfill
