// What fanout.daemon_config() may say, and how long to wait between attempts.
#include "sidecar/source/source_config.hpp"

#include <gtest/gtest.h>

#include "sidecar/pacing/backoff.hpp"

namespace fanout::testing {
namespace {

using source::parse_source_config;

constexpr const char* kConfig = R"({
 "extension_version":"1.0","system_identifier":"712","database":"shop","database_oid":5,
 "server_encoding":"UTF8",
 "streams":[{"id":1,"name":"main","slot":"fanout_main","identity":"u-1","generation":2,"epoch":9,
             "enabled":true,"start_lsn":"0/10","slot_exists":true,"confirmed_lsn":null,
             "ring_bytes":16777216}],
 "subscriptions":[{"id":7,"name":"copy","stream":"main","owner":"alice","paused":false,
             "revision":3,"start_lsn":"1/A0","options":{"create_tables":true},"tables":["a.*"],
             "target":{"name":"t","connector":"file",
                       "options":{"path":"/x","limit":5,"quick":true,"list":[1]}},
             "restored":false}]})";

TEST(SourceConfig, ReadsStreamsAndSubscriptions) {
    const auto parsed = parse_source_config(kConfig);
    ASSERT_TRUE(parsed.is_ok()) << parsed.status().text();
    const auto& config = parsed.value();
    EXPECT_EQ(config.system_identifier, "712");
    ASSERT_EQ(config.streams.size(), 1u);
    EXPECT_EQ(config.streams[0].identity, "u-1");
    EXPECT_TRUE(config.streams[0].enabled);
    ASSERT_EQ(config.subscriptions.size(), 1u);
    const auto& subscription = config.subscriptions[0];
    EXPECT_EQ(subscription.start_lsn, 0x1000000A0u);
    EXPECT_EQ(subscription.revision, 3u);
    EXPECT_TRUE(subscription.create_tables);
    EXPECT_EQ(subscription.connector, "file");
    using Kind = host::OptionValue::Kind;
    EXPECT_EQ(subscription.options.at("path"), (host::OptionValue{Kind::text, "/x"}));
    EXPECT_EQ(subscription.options.at("limit"), (host::OptionValue{Kind::number, "5"}));
    EXPECT_EQ(subscription.options.at("quick"), (host::OptionValue{Kind::boolean, "true"}));
    EXPECT_EQ(subscription.options.at("list").kind, Kind::other);
}

TEST(SourceConfig, AnotherShapeIsRefusedWithWhatToDo) {
    for (const char* wrong : {"", "{}", "[1]", R"({"system_identifier":"1"})"}) {
        const auto parsed = parse_source_config(wrong);
        ASSERT_FALSE(parsed.is_ok()) << wrong;
        EXPECT_NE(parsed.status().text().find("of one version"), std::string::npos);
    }
}

TEST(Backoff, DoublesUpToTheLastAndKeepsToItsBounds) {
    pacing::Backoff backoff(std::chrono::seconds(1));
    auto step = pacing::Backoff::kFirst;
    for (int i = 0; i < 10; ++i) {
        const auto pause = backoff.next();
        EXPECT_GE(pause, step / 2);
        EXPECT_LE(pause, step);
        step = std::min<std::chrono::milliseconds>(step * 2, std::chrono::seconds(1));
    }
    backoff.reset();
    EXPECT_LE(backoff.next(), pacing::Backoff::kFirst);
}

}  // namespace
}  // namespace fanout::testing
