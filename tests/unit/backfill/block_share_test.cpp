// Every block is read once, whoever takes the parts.
#include "sidecar/backfill/chunk/block_share.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace fanout::backfill {
namespace {

std::vector<Blocks> parts_of(BlockShare& share) {
    std::vector<Blocks> parts;
    while (const auto part = share.take())
        parts.push_back(*part);
    return parts;
}

TEST(BlockShare, PartsCoverEveryBlockOnceAndTheLastIsOpen) {
    for (const std::uint64_t blocks : {0, 1, 63, 64, 65, 1000, 100'000, 10'000'000}) {
        BlockShare share("s", blocks, 4);
        const auto parts = parts_of(share);
        ASSERT_FALSE(parts.empty()) << blocks;
        std::uint64_t next = 0;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            EXPECT_EQ(parts[i].first, next);
            const bool last = i + 1 == parts.size();
            EXPECT_EQ(parts[i].end == 0, last) << blocks;
            EXPECT_TRUE(last || parts[i].end > parts[i].first);
            next = parts[i].end;
        }
        EXPECT_LE(parts.back().first, blocks);
    }
}

TEST(BlockShare, IsDoneWhenAllPartsAreTakenAndRead) {
    BlockShare share("s", 130, 1);
    EXPECT_FALSE(share.is_done());
    ASSERT_TRUE(share.take());
    ASSERT_TRUE(share.take());
    share.done();
    EXPECT_TRUE(share.has_part());
    EXPECT_FALSE(share.is_done());
    ASSERT_TRUE(share.take());
    EXPECT_FALSE(share.has_part());
    EXPECT_FALSE(share.take());
    share.done();
    EXPECT_FALSE(share.is_done());
    share.done();
    EXPECT_TRUE(share.is_done());
}

}  // namespace
}  // namespace fanout::backfill
