// A short run without a fuzzer: valid inputs, damaged at random in a way that repeats.
//
//   fuzz_x [seed]     the seed is printed, so that a failure can be repeated
//   fuzz_x @file …    these inputs only
//   fuzz_x --write-seeds DIR    the valid inputs as files, for tests/fuzz/corpus
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz_target.hpp"

using fanout::testing::FuzzInput;

namespace {

void damage(FuzzInput& input, std::mt19937_64& random) {
    const auto at = [&] { return static_cast<std::ptrdiff_t>(random() % (input.size() + 1)); };
    for (std::uint64_t i = random() % 4; i > 0; --i) {
        switch (random() % 5) {
            case 0:
                if (!input.empty()) input[random() % input.size()] ^= 1 << (random() % 8);
                break;
            case 1:
                input.resize(static_cast<std::size_t>(at()));
                break;
            case 2:
                input.insert(input.begin() + at(), static_cast<std::uint8_t>(random()));
                break;
            case 3: {
                const auto from = at();
                const FuzzInput tail(input.begin() + from, input.end());
                input.insert(input.begin() + at(), tail.begin(), tail.end());
                break;
            }
            default:
                for (auto from = static_cast<std::size_t>(at());
                     from < input.size() && random() % 16 != 0; ++from) {
                    input[from] = static_cast<std::uint8_t>(random());
                }
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "--write-seeds") {
        std::size_t number = 0;
        for (const auto& seed : fanout::testing::fuzz_seeds())
            std::ofstream(std::string(argv[2]) + "/seed-" + std::to_string(number++),
                          std::ios::binary)
                .write(reinterpret_cast<const char*>(seed.data()),
                       static_cast<std::streamsize>(seed.size()));
        return EXIT_SUCCESS;
    }
    if (argc > 1 && argv[1][0] == '@') {
        for (int i = 1; i < argc; ++i) {
            std::ifstream in(argv[i] + 1, std::ios::binary);
            const FuzzInput input{std::istreambuf_iterator<char>(in),
                                  std::istreambuf_iterator<char>()};
            LLVMFuzzerTestOneInput(input.data(), input.size());
        }
        return EXIT_SUCCESS;
    }
    const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    std::mt19937_64 random(seed);
    const auto seeds = fanout::testing::fuzz_seeds();
    for (std::size_t round = 0; round < fanout::testing::fuzz_rounds(); ++round) {
        FuzzInput input = seeds[round % seeds.size()];
        if (round >= seeds.size()) damage(input, random);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    return EXIT_SUCCESS;
}
