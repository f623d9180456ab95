// Options, secrets and the SQL made from descriptors.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "sidecar/host/connectors_sql.hpp"
#include "sidecar/host/option_check.hpp"
#include "sidecar/host/secrets.hpp"
#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

using host::check_options;
using host::OptionValue;
using host::OptionValues;
using Kind = OptionValue::Kind;

const fanout_option_spec kSpecs[] = {
    {"path", FANOUT_OPTION_STRING, nullptr, "the file", nullptr, FANOUT_OPTION_REQUIRED},
    {"limit", FANOUT_OPTION_SIZE, "1MB", "its limit", nullptr, 0},
    {"tries", FANOUT_OPTION_INTEGER, nullptr, "how often", nullptr, 0},
    {"quick", FANOUT_OPTION_BOOLEAN, "false", "in a hurry", nullptr, 0},
    {"mode", FANOUT_OPTION_ENUM, "safe", "how", "safe|fast", 0},
    {"key", FANOUT_OPTION_STRING, nullptr, "its key", nullptr, FANOUT_OPTION_SECRET},
};

fanout_connector connector() {
    fanout_connector made{};
    made.abi = FANOUT_CONNECTOR_ABI;
    made.name = "sample";
    made.version = "1.2";
    made.summary = "it's a sample";
    made.capabilities = FANOUT_CAP_TARGET_CURSOR;
    made.options = kSpecs;
    made.option_count = std::size(kSpecs);
    return made;
}

std::string refusal(OptionValues given) {
    if (!given.contains("path")) given["path"] = {Kind::text, "/x"};
    const auto checked = check_options(connector(), given);
    return checked.is_ok() ? "" : checked.status().text();
}

TEST(OptionCheck, FillsDefaultsAndNormalises) {
    const auto checked = check_options(connector(), {{"path", {Kind::text, "/x"}},
                                                     {"limit", {Kind::text, "2GB"}},
                                                     {"tries", {Kind::number, "3"}},
                                                     {"quick", {Kind::boolean, "true"}}});
    ASSERT_TRUE(checked.is_ok()) << checked.status().text();
    const std::vector<std::pair<std::string, std::string>> expected{{"path", "/x"},
                                                                    {"limit", "2147483648"},
                                                                    {"tries", "3"},
                                                                    {"quick", "true"},
                                                                    {"mode", "safe"}};
    EXPECT_EQ(checked.value().values, expected);
    EXPECT_STREQ(checked.value().as_list()[1].value, "2147483648");
}

TEST(OptionCheck, RefusalsNameTheOptionAndWhatIsAllowed) {
    EXPECT_NE(refusal({{"pth", {Kind::text, "/x"}}}).find("its options: path, limit"),
              std::string::npos);
    EXPECT_NE(refusal({{"limit", {Kind::text, "much"}}}).find("64MB, not \"much\""),
              std::string::npos);
    EXPECT_NE(refusal({{"tries", {Kind::text, "3x"}}}).find("whole number"), std::string::npos);
    EXPECT_NE(refusal({{"quick", {Kind::text, "maybe"}}}).find("true or false"), std::string::npos);
    EXPECT_NE(refusal({{"mode", {Kind::text, "wild"}}}).find("one of safe|fast"),
              std::string::npos);
    EXPECT_NE(refusal({{"mode", {Kind::other, ""}}}).find("not a list"), std::string::npos);
    const auto missing = check_options(connector(), {});
    ASSERT_FALSE(missing.is_ok());
    EXPECT_NE(missing.status().text().find("is required: the file"), std::string::npos);
}

TEST(OptionCheck, ASecretInClearIsRefusedAndNotRepeated) {
    const auto text = refusal({{"key", {Kind::text, "hunter2"}}});
    EXPECT_NE(text.find("give a reference"), std::string::npos);
    EXPECT_EQ(text.find("hunter2"), std::string::npos);
    EXPECT_FALSE(refusal({{"key", {Kind::text, "x${env:HOME}"}}}).empty());
}

TEST(Secrets, ResolvesEveryKindOfReference) {
    const TemporaryDirectory directory;
    const std::string path = (directory.path() / "secret").string();
    std::ofstream(path) << "from file\n";
    ::setenv("FANOUT_TEST_SECRET", "from env", 1);
    ::setenv("CREDENTIALS_DIRECTORY", directory.path().c_str(), 1);
    EXPECT_EQ(host::resolve_references("a ${env:FANOUT_TEST_SECRET} b").value(), "a from env b");
    EXPECT_EQ(host::resolve_references("${file:" + path + "}").value(), "from file");
    EXPECT_EQ(host::resolve_references("${credential:secret}").value(), "from file");
    EXPECT_EQ(host::resolve_references("$${env:HOME}").value(), "${env:HOME}");
    EXPECT_EQ(host::resolve_references("plain").value(), "plain");
    ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST(Secrets, FailuresNameTheReference) {
    const auto text = [](const char* reference) {
        const auto resolved = host::resolve_references(reference);
        return resolved.is_ok() ? std::string() : resolved.status().text();
    };
    EXPECT_NE(text("${env:FANOUT_TEST_NOT_SET}").find("no variable FANOUT_TEST_NOT_SET"),
              std::string::npos);
    EXPECT_NE(text("${file:/no/such/file}").find("/no/such/file"), std::string::npos);
    EXPECT_NE(text("${credential:x}").find("LoadCredential"), std::string::npos);
    EXPECT_NE(text("${vault:x}").find("is not a reference"), std::string::npos);
    EXPECT_NE(text("${env:X").find("has no \"}\""), std::string::npos);
}

TEST(ConnectorsSql, QuotesWhatTheDescriptorSays) {
    const auto sample = connector();
    host::ConnectorRegistry registry;
    registry.add(&sample);
    const auto sql = host::connectors_sql(registry);
    EXPECT_NE(sql.find("INSERT INTO fanout.connector_def(name, version, summary, capabilities"),
              std::string::npos);
    EXPECT_NE(sql.find("'it''s a sample'"), std::string::npos);
    EXPECT_NE(sql.find("ARRAY['target_cursor']::text[]"), std::string::npos);
    EXPECT_NE(sql.find(R"("choices":["safe","fast"])"), std::string::npos);
    EXPECT_NE(sql.find(R"("secret":true)"), std::string::npos);
}

TEST(ConnectorLoader, LeavesOutWhatIsNoConnectorAndSaysWhy) {
    const TemporaryDirectory directory;
    std::ofstream(directory.path() / "junk.so") << "not a library";
    std::ofstream(directory.path() / "README") << "ignored";
    const auto registry = host::ConnectorRegistry::load(directory.path().string());
    ASSERT_TRUE(registry.is_ok());
    ASSERT_EQ(registry.value().problems().size(), 1u);
    EXPECT_NE(registry.value().problems()[0].find("junk.so cannot be opened"), std::string::npos);
    EXPECT_EQ(registry.value().find("junk"), nullptr);
    EXPECT_EQ(registry.value().names(), "none");
    const auto missing = host::ConnectorRegistry::load("/no/such/directory");
    ASSERT_FALSE(missing.is_ok());
    EXPECT_NE(missing.status().text().find("--connector-dir"), std::string::npos);
}

}  // namespace
}  // namespace fanout::testing
