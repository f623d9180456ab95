// Values, names and what can be wrong with the database file. The calls in their order are the
// contract suite's business.
#include "sqlite/sqlite_connector.hpp"

#include <sqlite3.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <thread>

#include "_kit/tests/connector_driver.hpp"
#include "_kit/tests/test_row.hpp"

namespace fanout::sqlite_target {
namespace {

using namespace std::chrono_literals;
using kit::cursor_of;
using kit::failure_of;
using kit::session_of;
using kit::TestRow;
using kit::type_oid::kInt4;
using kit::type_oid::kText;

class SqliteTest : public testing::Test {
  protected:
    SqliteTest() { EXPECT_EQ(sqlite3_open((path_).c_str(), &side_), SQLITE_OK); }
    ~SqliteTest() override { sqlite3_close(side_); }

    std::unique_ptr<SqliteConnector> make(const char* missing_rows = "error",
                                          const char* busy_timeout_ms = "100",
                                          const char* unrepresentable = "text") const {
        return std::make_unique<SqliteConnector>(
            kit::make_options({{"path", path_},
                               {"busy_timeout_ms", busy_timeout_ms},
                               {"missing_rows", missing_rows},
                               {"unrepresentable", unrepresentable}}),
            kit::quiet_host());
    }
    /// Another program at the same file: result columns joined by '|', rows by line feeds.
    std::string sql(const std::string& text) {
        std::string out;
        char* error = nullptr;
        const auto collect = [](void* to, int count, char** values, char**) {
            for (int i = 0; i < count; ++i)
                *static_cast<std::string*>(to) +=
                    std::string(i > 0 ? "|" : "") + (values[i] != nullptr ? values[i] : "NULL");
            *static_cast<std::string*>(to) += "\n";
            return 0;
        };
        if (sqlite3_exec(side_, text.c_str(), collect, &out, &error) != SQLITE_OK) {
            out = std::string("error: ") + error;
            sqlite3_free(error);
        }
        return out;
    }
    void deliver(SqliteConnector& target, const fanout_change& change) {
        kit::write_one(target, ++number_, change);
        target.flush(cursor_of(number_));
    }
    kit::Failure failure_at(const fanout_change& change, const char* missing_rows = "error") {
        const auto target = make(missing_rows);
        target->open(session_of());
        return failure_of([&] { deliver(*target, change); });
    }

    kit::TestDirectory directory_;
    std::string path_ = directory_ / "target.db";
    sqlite3* side_ = nullptr;
    std::uint64_t number_ = 0;
};

TEST_F(SqliteTest, stores_each_type_in_its_own_way) {
    TestRow row;
    row.fixed<std::int16_t>("i2", kit::type_oid::kInt2, -32768);
    row.fixed<std::int32_t>("i4", kInt4, 2147483647);
    row.fixed<std::int64_t>("i8", kit::type_oid::kInt8, std::numeric_limits<std::int64_t>::min());
    row.fixed<std::uint32_t>("o", kit::type_oid::kOid, 4294967295U);
    row.fixed<std::uint8_t>("b", kit::type_oid::kBool, 1);
    row.fixed<double>("f8", kit::type_oid::kFloat8, 0.1);
    row.fixed<float>("f4", kit::type_oid::kFloat4, 1.5F);
    row.numeric("n", {0x8100, 12, 5000});
    row.bytes("t", kText, "Grüße");
    row.bytes("raw", kit::type_oid::kBytea, std::string_view("\0\xFF", 2));
    row.bytes("none", kit::type_oid::kBytea, "");
    row.bytes("j", kit::type_oid::kJson, "{\"a\": 1.0}");
    row.fixed<std::int64_t>("at", kit::type_oid::kTimestamptz, 0);
    row.text_form("list", 1009, "{a,b}");
    row.bytes("gone", kText, "").but(FANOUT_NULL);
    const auto target = make();
    target->open(session_of());
    deliver(*target, row.insert());
    EXPECT_EQ(sql("SELECT i2, i4, i8, o, b FROM t"),
              "-32768|2147483647|-9223372036854775808|4294967295|1\n");
    EXPECT_EQ(sql("SELECT typeof(i8), typeof(b), typeof(f8), typeof(n), typeof(raw), typeof(none),"
                  " typeof(at), typeof(gone) FROM t"),
              "integer|integer|real|text|blob|blob|text|null\n");
    EXPECT_EQ(sql("SELECT f8 = 0.1, f4, n, t, hex(raw), length(none), j, at, list FROM t"),
              "1|1.5|12.50|Grüße|00FF|0|{\"a\": 1.0}|2000-01-01 00:00:00+00|{a,b}\n");
}

TEST_F(SqliteTest, keeps_floats_that_are_no_numbers) {
    TestRow row;
    row.fixed<double>("nan", kit::type_oid::kFloat8, std::nan(""));
    row.fixed<double>("inf", kit::type_oid::kFloat8, std::numeric_limits<double>::infinity());
    const auto target = make();
    target->open(session_of());
    deliver(*target, row.insert());
    EXPECT_EQ(sql("SELECT nan, typeof(nan), inf = 9e999 FROM t"), "NaN|text|1\n");
}

TEST_F(SqliteTest, keeps_to_its_policy_where_sqlite_has_no_place_for_a_value) {
    TestRow row;
    row.fixed<double>("nan", kit::type_oid::kFloat8, std::nan(""));
    row.bytes("t", kText, "a\xE4");
    const auto text = make();
    text->open(session_of());
    deliver(*text, row.insert());
    EXPECT_EQ(sql("SELECT nan, t FROM t"), "NaN|\\x61e4\n");
    text->close();
    sql("DROP TABLE t; DELETE FROM _fanout_cursor");
    const auto null = make("error", "100", "null");
    null->open(session_of());
    deliver(*null, row.insert());
    EXPECT_EQ(sql("SELECT nan, t FROM t"), "NULL|NULL\n");
    null->close();
    const auto error = make("error", "100", "error");
    error->open(session_of());
    const auto failure = failure_of([&] { deliver(*error, row.insert()); });
    EXPECT_EQ(failure.outcome, FANOUT_REJECT);
    EXPECT_EQ(failure.at.index, 1U);
    EXPECT_NE(failure.message.find("column \"nan\""), std::string::npos) << failure.message;
}

TEST_F(SqliteTest, finds_keyless_rows_with_nulls_and_nan) {
    TestRow row("public", "t", 'f');
    row.bytes("gone", kText, "", FANOUT_COLUMN_KEY).but(FANOUT_NULL);
    row.fixed<double>("nan", kit::type_oid::kFloat8, std::nan(""), FANOUT_COLUMN_KEY);
    const auto target = make();
    target->open(session_of());
    deliver(*target, row.insert());
    deliver(*target, row.insert());
    deliver(*target, row.erase(FANOUT_BEFORE_FULL));
    EXPECT_EQ(sql("SELECT count(*) FROM t"), "1\n");
}

TEST_F(SqliteTest, refuses_names_that_sqlite_cannot_tell_apart) {
    TestRow columns, lower("public", "a"), upper("public", "A"), dotted("public", "s.t");
    columns.fixed<std::int32_t>("id", kInt4, 1).fixed<std::int32_t>("ID", kInt4, 2);
    EXPECT_EQ(failure_at(columns.insert()).outcome, FANOUT_FATAL);
    lower.fixed<std::int32_t>("id", kInt4, 1);
    upper.fixed<std::int32_t>("id", kInt4, 1);
    const auto target = make();
    target->open(session_of());
    deliver(*target, lower.insert());
    fanout_table other = upper.table();
    other.oid = 4711;
    fanout_change change = upper.insert();
    change.table = &other;
    const auto failure = failure_of([&] { deliver(*target, change); });
    EXPECT_EQ(failure.outcome, FANOUT_FATAL);
    EXPECT_NE(failure.message.find("taken by table public.a"), std::string::npos)
        << failure.message;
}

TEST_F(SqliteTest, never_mirrors_a_table_onto_its_own_cursor) {
    TestRow row("public", "_FANOUT_cursor");
    row.fixed<std::int32_t>("id", kInt4, 1);
    const auto failure = failure_at(row.insert());
    EXPECT_EQ(failure.outcome, FANOUT_FATAL);
    EXPECT_NE(failure.message.find("the cursor of pg_fanout"), std::string::npos);
}

TEST_F(SqliteTest, names_the_missing_table_and_how_to_make_it) {
    TestRow row;
    row.fixed<std::int32_t>("id", kInt4, 1, kit::kPrimaryKey);
    const auto target = make();
    fanout_session session = session_of();
    session.create_tables = 0;
    target->open(session);
    const auto failure = failure_of([&] { deliver(*target, row.insert()); });
    EXPECT_EQ(failure.outcome, FANOUT_FATAL);
    EXPECT_NE(failure.hint.find("create_tables"), std::string::npos) << failure.hint;
    EXPECT_EQ(failure.at.commit_lsn, cursor_of(1).commit_lsn);
    const std::string statement = failure.hint.substr(failure.hint.find("CREATE TABLE"));
    target->close();
    EXPECT_EQ(sql(statement), "");
    target->open(session);
    EXPECT_EQ(failure_of([&] { deliver(*target, row.insert()); }).message, "");
}

TEST_F(SqliteTest, names_the_missing_column_and_the_statement_that_adds_it) {
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    TestRow row;
    row.fixed<std::int32_t>("id", kInt4, 1, kit::kPrimaryKey);
    row.bytes("new \"one\"", kText, "x");
    const auto failure = failure_at(row.insert());
    EXPECT_EQ(failure.outcome, FANOUT_FATAL);
    const auto from = failure.hint.find("ALTER TABLE");
    ASSERT_NE(from, std::string::npos) << failure.hint;
    EXPECT_EQ(sql(failure.hint.substr(from, failure.hint.find(", then") - from)), "");
    EXPECT_EQ(failure_at(row.insert()).message, "");
}

TEST_F(SqliteTest, leaves_columns_alone_that_the_target_computes_or_has_besides) {
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, twice INTEGER GENERATED ALWAYS AS (2 * id) STORED,"
        " extra TEXT DEFAULT 'kept')");
    TestRow row;
    row.fixed<std::int32_t>("id", kInt4, 21, kit::kPrimaryKey);
    row.fixed<std::int32_t>("twice", kInt4, 42, FANOUT_COLUMN_GENERATED);
    EXPECT_EQ(failure_at(row.insert()).message, "");
    EXPECT_EQ(sql("SELECT * FROM t"), "21|42|kept\n");
}

TEST_F(SqliteTest, a_constraint_names_the_row_and_its_position) {
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (5)");
    TestRow row;
    row.fixed<std::int32_t>("id", kInt4, 5, kit::kPrimaryKey);
    const auto failure = failure_at(row.insert());
    EXPECT_EQ(failure.outcome, FANOUT_FATAL);
    EXPECT_NE(failure.message.find("table \"t\", row (id) = (5)"), std::string::npos)
        << failure.message;
    EXPECT_EQ(failure.at, (Position{cursor_of(1).commit_lsn, 1}));
}

TEST_F(SqliteTest, a_missing_row_is_rejected_or_passed_over_as_told) {
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    TestRow row;
    row.fixed<std::int32_t>("id", kInt4, 5, kit::kPrimaryKey);
    const auto failure = failure_at(row.erase());
    EXPECT_EQ(failure.outcome, FANOUT_REJECT);
    EXPECT_NE(failure.message.find("0 rows where (id) = (5)"), std::string::npos)
        << failure.message;
    EXPECT_NE(failure.hint.find("missing_rows"), std::string::npos);
    EXPECT_EQ(failure_at(row.erase(), "skip").message, "");
}

TEST_F(SqliteTest, a_row_that_cannot_be_found_is_rejected_with_the_statement_that_helps) {
    TestRow row("public", "t", 'n');
    row.fixed<std::int32_t>("id", kInt4, 5);
    const auto failure = failure_at(row.erase());
    EXPECT_EQ(failure.outcome, FANOUT_REJECT);
    EXPECT_NE(failure.hint.find("ALTER TABLE \"public\".\"t\" REPLICA IDENTITY FULL"),
              std::string::npos);
}

TEST_F(SqliteTest, waits_for_another_writer_and_then_backs_off) {
    TestRow row;
    row.fixed<std::int32_t>("id", kInt4, 1, kit::kPrimaryKey);
    const auto target = make();
    target->open(session_of());
    sql("BEGIN IMMEDIATE");
    const auto failure = failure_of([&] { deliver(*target, row.insert()); });
    EXPECT_EQ(failure.outcome, FANOUT_RETRY) << failure.message;
    EXPECT_NE(failure.hint.find("busy_timeout_ms"), std::string::npos);
    sql("ROLLBACK");
    target->close();
    target->open(session_of());
    EXPECT_EQ(failure_of([&] { deliver(*target, row.insert()); }).message, "");
}

TEST_F(SqliteTest, an_interrupt_ends_the_wait_for_another_writer) {
    const auto target = make("error", "60000");
    target->open(session_of());
    sql("BEGIN IMMEDIATE");
    std::thread later([&] {
        std::this_thread::sleep_for(50ms);
        target->interrupt();
    });
    const auto start = std::chrono::steady_clock::now();
    const auto failure = failure_of([&] { target->flush(cursor_of(1)); });
    later.join();
    EXPECT_EQ(failure.outcome, FANOUT_RETRY) << failure.message;
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST_F(SqliteTest, a_full_disk_is_retried_and_loses_nothing) {
    TestRow small, large;
    small.fixed<std::int32_t>("id", kInt4, 1, kit::kPrimaryKey).bytes("body", kText, "x");
    const std::string big(8 << 20, 'x');
    large.fixed<std::int32_t>("id", kInt4, 2, kit::kPrimaryKey).bytes("body", kText, big);
    const auto target = make();
    target->open(session_of());
    deliver(*target, small.insert());
    // The limit is a file size: what sticks out of it does not fit.
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit tight = before;
    tight.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_FSIZE, &tight);
    const auto failure = failure_of([&] { deliver(*target, large.insert()); });
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(failure.outcome, FANOUT_RETRY) << failure.message;
    target->close();
    number_ = 1;
    EXPECT_EQ(target->open(session_of()).commit_lsn, cursor_of(1).commit_lsn);
    EXPECT_EQ(sql("SELECT count(*) FROM t"), "1\n");
    deliver(*target, large.insert());
    EXPECT_EQ(sql("SELECT sum(length(body)) FROM t"), std::to_string(big.size() + 1) + "\n");
}

TEST_F(SqliteTest, refuses_what_is_no_database) {
    path_ = directory_ / "other.db";
    std::ofstream(path_) << std::string(4096, 'x');
    const auto failure = failure_of([&] { make()->open(session_of()); });
    EXPECT_EQ(failure.outcome, FANOUT_FATAL);
    EXPECT_NE(failure.hint, "");
}

TEST_F(SqliteTest, two_subscriptions_share_a_file) {
    const auto one = make(), two = make();
    one->open(session_of(1, "one"));
    two->open(session_of(1, "two"));
    TestRow row;
    row.fixed<std::int32_t>("id", kInt4, 1, kit::kPrimaryKey);
    deliver(*one, row.insert());
    two->flush(cursor_of(9));
    two->close();
    EXPECT_EQ(two->open(session_of(1, "two")).commit_lsn, cursor_of(9).commit_lsn);
    one->close();
    EXPECT_EQ(one->open(session_of(1, "one")).commit_lsn, cursor_of(1).commit_lsn);
}

}  // namespace
}  // namespace fanout::sqlite_target
