// contract_suite --connector=<shared object> [--target=<program>] [GoogleTest's options]
//
// Runs every MUST of docs/connector-contract.md over one connector. README.md has the rest.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "tests/contract/contract_fixture.hpp"
#include "tests/contract/crash_writer.hpp"

namespace {

using fanout::contract::suite;

bool take(std::string_view argument, std::string_view name, std::string& value) {
    if (!argument.starts_with(name)) return false;
    value = argument.substr(name.size());
    return true;
}

std::string make_root() {
    std::string pattern = std::filesystem::temp_directory_path() / "fanout-contract-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
        std::perror("mkdtemp");
        std::exit(2);
    }
    // A target's server may run under another user.
    std::filesystem::permissions(pattern, std::filesystem::perms(0755));
    return pattern;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // as fanoutd does
    testing::InitGoogleTest(&argc, argv);
    std::string hook, crash_writer;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (!take(argument, "--connector=", suite().connector_path) &&
            !take(argument, "--target=", hook) &&
            !take(argument, "--crash-writer=", crash_writer)) {
            std::fprintf(stderr, "unknown argument %s\n", argv[i]);
            return 2;
        }
    }
    suite().connector = &fanout::contract::load_connector(suite().connector_path);
    if (!crash_writer.empty()) return fanout::contract::write_until_killed(crash_writer);

    suite().program = std::filesystem::canonical("/proc/self/exe");
    suite().hook = fanout::contract::TargetHook(hook);
    suite().root = make_root();
    suite().target_here = suite().hook.exists() && suite().hook.start(suite().root);
    const int result = RUN_ALL_TESTS();
    if (suite().target_here) suite().hook.stop(suite().root);
    if (result == 0)
        std::filesystem::remove_all(suite().root);
    else
        std::fprintf(stderr, "targets kept in %s\n", suite().root.c_str());
    return result;
}
