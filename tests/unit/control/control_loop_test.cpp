// What control promises to those who wait at the source.
#include "sidecar/control/control_loop.hpp"

#include <gtest/gtest.h>

namespace fanout::testing {
namespace {

TEST(ControlLoop, ASourceThatStaysAwayIsAskedForEveryFiveSeconds) {
    auto backoff = control::source_backoff();
    for (int attempt = 0; attempt < 40; ++attempt)
        EXPECT_LE(backoff.next(), std::chrono::seconds(5));
}

}  // namespace
}  // namespace fanout::testing
