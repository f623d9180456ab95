#include "tests/contract/contract_fixture.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace fanout::contract {

Suite& suite() {
    static Suite instance;
    return instance;
}

testing::AssertionResult ok(const Outcome& outcome) {
    if (outcome.code == FANOUT_OK) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "outcome " << outcome.code << ": " << outcome.message
                                       << " (hint: " << outcome.hint << ")";
}

testing::AssertionResult refused(const Outcome& outcome) {
    if (outcome.code != FANOUT_FATAL && outcome.code != FANOUT_REJECT)
        return testing::AssertionFailure()
               << "outcome " << outcome.code << " (" << outcome.message << ") is no refusal";
    if (outcome.message.empty() || outcome.hint.empty())
        return testing::AssertionFailure() << "no text or no hint: \"" << outcome.message << "\"";
    return testing::AssertionSuccess();
}

void TargetTest::SetUp() {
    if (!suite().target_here) GTEST_SKIP() << "no target for this connector on this machine";
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = suite().root + "/" + info->name();
    std::filesystem::create_directories(directory_);
    // There from the start, so that it is no trace of a call.
    std::ofstream(directory_ + "/standard_output");
    options_ = suite().hook.options(directory_);
}

std::unique_ptr<Instance> TargetTest::make() const {
    return std::make_unique<Instance>(connector_, options_, directory_);
}

void ExactlyOnceTest::SetUp() {
    if (!has(FANOUT_CAP_TARGET_CURSOR)) GTEST_SKIP() << "the host keeps this connector's cursor";
    TargetTest::SetUp();
}

}  // namespace fanout::contract
