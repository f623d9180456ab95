// The bytes of every kind, frozen. A difference means: raise kWireVersion and add new files.
//
// FANOUT_WRITE_GOLDEN=1 writes the files that are missing; it never changes one.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/unit/wire/sample_records.hpp"

namespace fanout::testing {
namespace {

std::string golden_path(const std::string& name) {
    return std::string(GOLDEN_DIR) + "/v" + std::to_string(wire::kWireVersion) + "_" + name +
           ".bin";
}

TEST(GoldenTest, EveryKindHasTheBytesItAlwaysHad) {
    for (const auto& [name, bytes] : sample_records()) {
        std::ifstream in(golden_path(name), std::ios::binary);
        if (!in && std::getenv("FANOUT_WRITE_GOLDEN") != nullptr) {
            std::ofstream(golden_path(name), std::ios::binary)
                .write(reinterpret_cast<const char*>(bytes.data()),
                       static_cast<std::streamsize>(bytes.size()));
            continue;
        }
        ASSERT_TRUE(in) << golden_path(name) << " is missing";
        const std::vector<std::uint8_t> frozen{std::istreambuf_iterator<char>(in),
                                               std::istreambuf_iterator<char>()};
        EXPECT_EQ(frozen, bytes) << name;
        wire::RecordView record;
        EXPECT_EQ(wire::read_record({frozen.data(), frozen.size()}, record), wire::Refusal::none);
    }
}

/// A journal of an older version is read as it is.
TEST(GoldenTest, WhatOlderVersionsWroteHasTheSameBytesStill) {
    int compared = 0;
    for (const auto& [name, bytes] : sample_records()) {
        std::ifstream in(std::string(GOLDEN_DIR) + "/v" + std::to_string(wire::kWireVersionOldest) +
                             "_" + name + ".bin",
                         std::ios::binary);
        if (!in) continue;
        const std::vector<std::uint8_t> frozen{std::istreambuf_iterator<char>(in),
                                               std::istreambuf_iterator<char>()};
        EXPECT_EQ(frozen, bytes) << name;
        ++compared;
    }
    EXPECT_EQ(compared, 11);
}

}  // namespace
}  // namespace fanout::testing
