// What a fuzz target is: libFuzzer's entry, and inputs to start from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fanout::testing {

using FuzzInput = std::vector<std::uint8_t>;

/// Valid inputs, from which the seeded run makes damaged ones.
std::vector<FuzzInput> fuzz_seeds();

/// How many inputs the seeded run tries.
std::size_t fuzz_rounds();

}  // namespace fanout::testing
