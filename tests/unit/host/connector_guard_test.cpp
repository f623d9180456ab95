// Outcomes become values, exceptions stop, the instance dies with its owner.
#include "sidecar/host/connector_guard.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/support/scripted_connector.hpp"

namespace fanout::testing {
namespace {

using host::ConnectorGuard;

host::CheckedOptions red() {
    return {{{"colour", "red"}}};
}

TEST(ConnectorGuard, KeepsTheConnectorsOwnWords) {
    Script script;
    const auto entry = scripted_connector(FANOUT_CAP_TARGET_CURSOR);
    const std::atomic<bool> stopping{false};
    ConnectorGuard guard(entry, "copy", stopping);
    ASSERT_TRUE(guard.create(red()).ok());
    EXPECT_TRUE(guard.keeps_cursor());
    EXPECT_FALSE(guard.wants_messages());
    script.fail("open", {FANOUT_REJECT});
    fanout_cursor cursor{};
    const auto outcome = guard.open({"copy", "slot", 1, 0}, cursor);
    EXPECT_EQ(outcome.code, FANOUT_REJECT);
    EXPECT_EQ(outcome.message, "open was told to fail");
    EXPECT_EQ(outcome.hint, "mend the script");
    EXPECT_EQ(outcome.at, (Position{0x1000, 2}));
    EXPECT_EQ(script.options()["colour"], "red");
}

TEST(ConnectorGuard, AnExceptionThroughTheTableIsARetry) {
    auto entry = scripted_connector(0);
    entry.test = [](void*, fanout_error*) -> fanout_outcome {
        throw std::runtime_error("through the wall");
    };
    Script script;
    const std::atomic<bool> stopping{false};
    ConnectorGuard guard(entry, "copy", stopping);
    ASSERT_TRUE(guard.create(red()).ok());
    const auto outcome = guard.test();
    EXPECT_EQ(outcome.code, FANOUT_RETRY);
    EXPECT_NE(outcome.message.find("scripted connector, test: exception: through the wall"),
              std::string::npos);
}

TEST(ConnectorGuard, AnOutcomeThatDoesNotExistIsFatalAndSilenceIsNamed) {
    auto entry = scripted_connector(0);
    entry.test = [](void*, fanout_error*) { return static_cast<fanout_outcome>(9); };
    Script script;
    const std::atomic<bool> stopping{false};
    ConnectorGuard guard(entry, "copy", stopping);
    ASSERT_TRUE(guard.create(red()).ok());
    EXPECT_EQ(guard.test().code, FANOUT_FATAL);
    entry.test = [](void*, fanout_error*) { return FANOUT_RETRY; };
    EXPECT_NE(guard.test().message.find("did not say why"), std::string::npos);
}

}  // namespace
}  // namespace fanout::testing
