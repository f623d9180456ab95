// The table of settings: file, environment, flag, and which of them wins.
#include "sidecar/config/settings.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "sidecar/config/command_line.hpp"
#include "sidecar/config/size_text.hpp"
#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

using namespace fanout::config;

class SettingsTest : public ::testing::Test {
  protected:
    TemporaryDirectory directory_;
    std::string write(const std::string& text) {
        const auto path = (directory_.path() / "fanoutd.conf").string();
        std::ofstream(path) << text;
        return path;
    }
    void TearDown() override { ::unsetenv("FANOUT_LOG_LEVEL"); }

    static std::variant<Invocation, ExitNow> parse(std::vector<std::string> arguments) {
        std::string program = "fanoutd";
        std::vector<char*> pointers{program.data()};
        for (auto& argument : arguments)
            pointers.push_back(argument.data());
        return parse_command_line(static_cast<int>(pointers.size()), pointers.data(),
                                  "/connectors");
    }
};

TEST(SizeText, ReadsSizesAndDurations) {
    EXPECT_EQ(parse_size("64MB"), 64ULL << 20);
    EXPECT_EQ(parse_size("10 gb"), 10ULL << 30);
    EXPECT_EQ(parse_size("1500"), 1500u);
    for (const char* wrong : {"", "MB", "1.5GB", "-1", "10 XB", "99999999999TB"})
        EXPECT_FALSE(parse_size(wrong)) << wrong;
    EXPECT_EQ(parse_duration("30min"), std::chrono::seconds(1800));
    EXPECT_EQ(parse_duration("90"), std::chrono::seconds(90));
    EXPECT_FALSE(parse_duration("1 month"));
    EXPECT_EQ(size_text(64ULL << 20), "64MB");
    EXPECT_EQ(size_text(1500), "1500B");
    EXPECT_EQ(parse_size(size_text(0)), 0u);
}

TEST_F(SettingsTest, TheFileIsReadWithQuotesAndComments) {
    const auto path = write(
        "# a comment\n\nsource = \"host=x dbname=\\\"y\\\"\" # behind\n  log_level=debug  \n");
    const auto read = read_config_file(path);
    ASSERT_TRUE(read.is_ok()) << read.status().text();
    EXPECT_EQ(read.value().at("source").text, "host=x dbname=\"y\"");
    EXPECT_EQ(read.value().at("log_level").origin, path + ":4");
}

TEST_F(SettingsTest, RefusalsNameFileAndLine) {
    const auto text = [&](const std::string& content) {
        const auto path = write(content);
        auto read = read_config_file(path);
        if (!read.is_ok()) return read.status().text();
        const auto built = build_config({read.value()});
        return built.is_ok() ? std::string() : built.status().text();
    };
    const auto path = (directory_.path() / "fanoutd.conf").string();
    EXPECT_EQ(text("\nnonsense\n").find(path + ":2: expected `key = value`"), 0u);
    EXPECT_EQ(text("log_levl = debug").find(path + ":1: unknown setting \"log_levl\""), 0u);
    EXPECT_EQ(text("log_level = loud").find(path + ":1: \"loud\" is not a value"), 0u);
    EXPECT_EQ(text("source = \"x").find(path + ":1: the quoted value does not end"), 0u);
    EXPECT_NE(text("log_level = info\nlog_level = debug").find("already at " + path + ":1"),
              std::string::npos);
    EXPECT_NE(text("journal_bytes_max = 1kB").find("a size from 4MB"), std::string::npos);
    EXPECT_NE(read_config_file("/no/such/file").status().text().find("/no/such/file"),
              std::string::npos);
}

TEST_F(SettingsTest, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
    const auto path = write("source=dbname=file\nstate_dir=/file\nlog_level=error\n");
    ::setenv("FANOUT_LOG_LEVEL", "warning", 1);
    const auto parsed = parse({"--config", path, "--state-dir", "/flag"});
    ASSERT_TRUE(std::holds_alternative<Invocation>(parsed));
    const auto& config = std::get<Invocation>(parsed).config;
    EXPECT_EQ(config.source, "dbname=file");
    EXPECT_EQ(config.state_dir, "/flag");
    EXPECT_EQ(config.reloadable.log_level, log::Level::warning);
    EXPECT_EQ(config.connector_dir, "/connectors");
    EXPECT_EQ(config.lane.batch_rows_max, 20'000u);
}

TEST_F(SettingsTest, AReloadReadsTheFileAgainAndKeepsFlags) {
    const auto path = write("source=dbname=x\nstate_dir=/x\nlog_level=error\n");
    const auto parsed = std::get<Invocation>(parse({"--config", path}));
    write("log_level=debug\njournal_bytes_max=1GB\n");
    const auto again = reload(parsed.config, parsed.flags);
    ASSERT_TRUE(again.is_ok());
    EXPECT_EQ(again.value().log_level, log::Level::debug);
    EXPECT_EQ(again.value().journal_bytes_max, 1ULL << 30);
    const auto printed = config_as_file(parsed.config, parsed.config.source);
    for (const char* name :
         {"log_level", "journal_bytes_max", "journal_age_max", "journal_limit_action"})
        EXPECT_NE(printed.find("(SIGHUP)\n" + std::string(name)), std::string::npos) << name;
    const auto flagged = std::get<Invocation>(
        parse({"--config", path, "--log-level", "warning", "--source", "x", "--state-dir", "y"}));
    EXPECT_EQ(reload(flagged.config, flagged.flags).value().log_level, log::Level::warning);
    write("log_level=nonsense\n");
    EXPECT_FALSE(reload(parsed.config, parsed.flags).is_ok());
}

TEST_F(SettingsTest, WhatIsPrintedCanBeReadBack) {
    const auto parsed = std::get<Invocation>(
        parse({"--source", "dbname=\"a b\"", "--state-dir", "/x", "--batch-rows-max", "5"}));
    const auto path = write(config_as_file(parsed.config, parsed.config.source));
    const auto read = read_config_file(path);
    ASSERT_TRUE(read.is_ok()) << read.status().text();
    const auto built = build_config({read.value()});
    ASSERT_TRUE(built.is_ok()) << built.status().text();
    EXPECT_EQ(built.value().source, "dbname=\"a b\"");
    EXPECT_EQ(built.value().lane.batch_rows_max, 5u);
}

TEST_F(SettingsTest, HelpAndVersionLeaveWithoutAnError) {
    for (const char* flag : {"--help", "--version"}) {
        const auto parsed = parse({flag});
        ASSERT_TRUE(std::holds_alternative<ExitNow>(parsed));
        EXPECT_EQ(std::get<ExitNow>(parsed).code, 0);
    }
    EXPECT_EQ(std::get<ExitNow>(parse({"--sauce"})).code, kExitUsage);
    EXPECT_NE(std::get<ExitNow>(parse({"--state-dir", "/x"})).text.find("--source"),
              std::string::npos);
}

}  // namespace
}  // namespace fanout::testing
