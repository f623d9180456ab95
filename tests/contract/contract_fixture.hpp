// What every contract test starts with: the connector named on the command line, and a fresh
// target.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/contract/shop.hpp"
#include "tests/contract/subject.hpp"
#include "tests/contract/target_hook.hpp"

namespace fanout::contract {

struct Suite {
    std::string connector_path;
    const fanout_connector* connector = nullptr;
    TargetHook hook{""};
    std::string root;         // a temporary directory, one per run
    bool target_here = true;  // false: no hook, or it said the target is not on this machine
    std::string program;      // this executable, for child processes
};

Suite& suite();

/// Tests that need no target.
class DescriptorTest : public testing::Test {
  protected:
    const fanout_connector& connector_ = *suite().connector;
    bool has(std::uint32_t capability) const { return (connector_.capabilities & capability) != 0; }
};

/// Tests on a fresh target; skipped if there is none.
class TargetTest : public DescriptorTest {
  protected:
    void SetUp() override;
    std::unique_ptr<Instance> make() const;
    std::vector<std::string> content() const { return suite().hook.content(directory_); }
    std::vector<std::string> expected() const { return shop_.content(has(FANOUT_CAP_MESSAGES)); }

    std::string directory_;
    OptionValues options_;
    Shop shop_;
};

/// Tests of what only a target that keeps the cursor can promise.
class ExactlyOnceTest : public TargetTest {
  protected:
    void SetUp() override;
};

testing::AssertionResult ok(const Outcome& outcome);
/// FATAL or REJECT, with a text and a hint: a person can act on it.
testing::AssertionResult refused(const Outcome& outcome);

}  // namespace fanout::contract

#define CONTRACT_ASSERT_OK(call) ASSERT_TRUE(::fanout::contract::ok(call))
