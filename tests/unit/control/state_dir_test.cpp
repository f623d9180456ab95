// One daemon, one source, one writable directory.
#include "sidecar/state/state_dir.hpp"

#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

using state::StateDir;

TEST(StateDir, HasOneDaemonAtATime) {
    const TemporaryDirectory directory;
    const auto path = (directory.path() / "state").string();
    {
        const auto first = StateDir::open(path);
        ASSERT_TRUE(first.is_ok()) << first.status().text();
        const auto second = StateDir::open(path);
        ASSERT_FALSE(second.is_ok());
        EXPECT_NE(second.status().text().find("in use by another fanoutd (process " +
                                              std::to_string(::getpid()) + ")"),
                  std::string::npos);
    }
    EXPECT_TRUE(StateDir::open(path).is_ok());
}

TEST(StateDir, BelongsToOneSource) {
    const TemporaryDirectory directory;
    auto opened = StateDir::open(directory.path().string());
    ASSERT_TRUE(opened.is_ok());
    EXPECT_TRUE(opened.value().check_source("711", 5, "shop").is_ok());
    EXPECT_TRUE(opened.value().check_source("711", 5, "shop").is_ok());
    for (const auto& [system, oid] : {std::pair{"712", 5u}, std::pair{"711", 6u}}) {
        const auto other = opened.value().check_source(system, oid, "other");
        ASSERT_FALSE(other.is_ok());
        EXPECT_NE(other.text().find("of another source"), std::string::npos);
        EXPECT_NE(other.text().find("\"shop\" (OID 5) of system 711"), std::string::npos);
        EXPECT_NE(other.text().find("\"other\""), std::string::npos);
    }
}

TEST(StateDir, ThatCannotBeMadeIsNamed) {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "file";
    std::ofstream(file) << "x";
    const auto opened = StateDir::open((file / "state").string());
    ASSERT_FALSE(opened.is_ok());
    EXPECT_NE(opened.status().text().find(file.string()), std::string::npos);
    EXPECT_NE(opened.status().text().find("writable"), std::string::npos);
}

}  // namespace
}  // namespace fanout::testing
