// Whole frames, as text to compare with.
#include "fanoutctl/screen.hpp"

#include <gtest/gtest.h>

#include "fanoutctl/figures.hpp"

namespace fanout::ctl {
namespace {

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines)
        text += line + "\n";
    return text;
}

const char* const kViews = R"({
  "database": "shop", "clock": "19:20:31", "seconds": 1000.5, "daemon_connected": true,
  "streams": [{"name": "main", "state": "streaming", "retained_wal_bytes": 16777216,
               "journal_bytes": 50331648, "error": null}],
  "subscriptions": [
    {"name": "lake", "target": "s3", "state": "retrying", "rows_delivered": 12345,
     "lag_bytes": 4404019, "lag_seconds": 75.25, "rows_dead_lettered": 0,
     "last_error": "could not connect to \"db2\": connection refused",
     "last_error_hint": "Is the server running there, and does it accept connections on port 5432?"},
    {"name": "orders", "target": "copy", "state": "streaming", "rows_delivered": 1234567,
     "lag_bytes": 0, "lag_seconds": 0, "last_error": "an old one", "last_error_hint": null}],
  "backfills": [
    {"subscription": "orders", "schema_name": "public", "table_name": "customers",
     "state": "complete", "rows_done": 5000, "rows_estimate": 5000, "percent": 100.0},
    {"subscription": "orders", "schema_name": "public", "table_name": "order_items",
     "state": "copying", "rows_done": 1234567, "rows_estimate": 2400000, "percent": 51.4,
     "rows_per_second": 82000, "eta_seconds": 15},
    {"subscription": "orders", "schema_name": "public", "table_name": "events",
     "state": "failed", "rows_done": 0, "rows_estimate": null, "percent": null,
     "last_error": "the target table public.events has rows",
     "last_error_hint": "Empty it, or set on_nonempty."},
    {"subscription": "orders", "schema_name": "public", "table_name": "later",
     "state": "pending", "rows_done": 0, "rows_estimate": 80000, "percent": 0.0}]
})";

Snapshot sample() {
    auto parsed = parse_snapshot(kViews);
    EXPECT_TRUE(parsed.is_ok()) << parsed.status().text();
    return parsed.value();
}

TEST(Screen, FrameIn80Columns) {
    auto snapshot = sample();
    auto before = sample();
    before.seconds -= 2;
    before.subscriptions[1].rows_delivered -= 5000;
    add_pace(snapshot, before);
    EXPECT_EQ(joined(frame_lines(snapshot, {}, {80, 0, false, true})),
              R"(pg_fanout: shop  fanoutd is connected                                   19:20:31

stream  state      WAL kept  journal
main    streaming     16 MB    48 MB

subscription  target  state        rows  rows/s     lag  behind
lake          s3      retrying   12,345       0  4.2 MB    1:15
orders        copy    streaming  1.23 M   2,500     0 B     0 s
  lake: could not connect to "db2": connection refused
  Is the server running there, and does it accept connections on port 5432?

backfill of  table               state            progress    rows  rows/s  left
orders       public.events       failed                  -       0       -     -
orders       public.order_items  copying  █████▋░░░░░ 51 %  1.23 M  82,000  15 s
orders       public.later        pending  ░░░░░░░░░░░  0 %       0       -     -
  public.events: the target table public.events has rows
  Empty it, or set on_nonempty.
and 1 table complete
)");
}

TEST(Screen, WatchFitsTheWindow) {
    const auto snapshot = sample();
    FrameOptions options;
    options.keys = "q quits";
    options.notice = "connection lost: the server went away (trying again)";
    for (std::size_t height = 4; height < 40; ++height) {
        for (const std::size_t width : {40u, 80u, 200u}) {
            const auto lines = frame_lines(snapshot, options, {width, height, false, false});
            EXPECT_LE(lines.size(), height);
            EXPECT_EQ(lines.back(), "q quits");
            for (const auto& line : lines)
                EXPECT_LE(width_of(line), width) << line;
        }
    }
}

TEST(Screen, ManyTables) {
    auto snapshot = sample();
    snapshot.backfills.resize(2);
    for (int i = 0; i < 500; ++i)
        snapshot.backfills.push_back(snapshot.backfills[1]);
    const auto text = joined(frame_lines(snapshot, {}, {80, 24, false, true}));
    EXPECT_NE(text.find("more to be copied"), std::string::npos) << text;
    EXPECT_NE(text.find("and 1 table complete"), std::string::npos) << text;
}

TEST(Screen, NothingYet) {
    Snapshot snapshot;
    snapshot.database = "empty\x1b]0;x";
    const auto text = joined(frame_lines(snapshot, {}, {80, 0, false, true}));
    EXPECT_NE(text.find("no fanoutd is connected"), std::string::npos);
    EXPECT_NE(text.find("fanout.start_stream()"), std::string::npos);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Screen, ColoursOnlyWhenWanted) {
    const auto plain = joined(frame_lines(sample(), {}, {80, 0, false, true}));
    const auto colored = joined(frame_lines(sample(), {}, {80, 0, true, true}));
    EXPECT_EQ(plain.find('\x1b'), std::string::npos);
    EXPECT_NE(colored.find("\x1b[32mstreaming\x1b[0m"), std::string::npos);
    EXPECT_NE(colored.find("\x1b[31mfailed\x1b[0m"), std::string::npos);
}

TEST(Screen, CheckShowsWhatMends) {
    const auto rows = parse_check(R"([
        {"item": "wal_level", "state": "error", "detail": "wal_level is replica",
         "remedy": "ALTER SYSTEM SET wal_level = logical;  -- then restart the server"},
        {"item": "fanoutd", "state": "ok", "detail": "connected", "remedy": null}])");
    ASSERT_TRUE(rows.is_ok());
    EXPECT_TRUE(has_error(rows.value()));
    EXPECT_EQ(joined(check_lines(rows.value(), {80, 0, false, true})),
              R"(state  item       detail
error  wal_level  wal_level is replica
ok     fanoutd    connected

wal_level: wal_level is replica
  ALTER SYSTEM SET wal_level = logical;  -- then restart the server
)");
}

TEST(Screen, ViewsOfAnotherVersionAreRefused) {
    EXPECT_FALSE(parse_snapshot("{}").is_ok());
    EXPECT_FALSE(parse_snapshot("nonsense").is_ok());
    EXPECT_FALSE(parse_check("[1]").is_ok());
}

}  // namespace
}  // namespace fanout::ctl
