// apply_bench <insert|update|mixed> [rows] [transactions per group]
//
// Microseconds of client and of target CPU per row change, against a throw-away server. The mixed
// load is pgbench's: three updates, of which two hit few rows, and one insert per transaction.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "postgres/postgres_connector.hpp"
#include "postgres/tests/source_rows.hpp"

namespace {

using namespace fanout;
using namespace fanout::postgres_test;

double own_cpu_us() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto us = [](const timeval& t) {
        return 1e6 * static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec);
    };
    return us(usage.ru_utime) + us(usage.ru_stime);
}

double process_cpu_us(const std::string& pid) {
    std::ifstream stat("/proc/" + pid + "/stat");
    std::string line;
    std::getline(stat, line);
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i)
        fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

template <typename T>
Cell cell(T value) {
    return {std::string(reinterpret_cast<const char*>(&value), sizeof value)};
}

constexpr const char* kWide =
    "CREATE TABLE w (id int8 PRIMARY KEY, a int4, b int2, n numeric(12,2), f float8, t bool, ts "
    "timestamptz, u uuid, s text, l text)";

class Bench {
  public:
    Bench()
        : source_(TestServer::get().fresh_database("source")),
          dsn_(TestServer::get().fresh_database("target")),
          target_(dsn_) {
        const fanout_option options[] = {{"dsn", dsn_.c_str()},
                                         {"session_replication_role", "origin"},
                                         {"missing_rows", "error"},
                                         {"missing_types", "error"}};
        static const fanout_host host{nullptr, [](void*, int, const char*) {},
                                      [](void*) { return 0; }};
        connector_ =
            std::make_unique<postgres::PostgresConnector>(connector::Options(options, 4), host);
        connector_->open({"bench", "identity", 1, 1});
        backend_ = target_.value(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE "
            "'pg_fanout%'");
    }

    Client& source() { return source_; }
    Client& target() { return target_; }

    /// Applies the feeds, each a group, and prints what it took.
    void measure(const char* what, std::deque<Feed>& feeds, std::deque<fanout_cursor>& cursors) {
        std::size_t changes = 0, transactions = 0;
        const double client = own_cpu_us(), backend = process_cpu_us(backend_);
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < feeds.size(); ++i) {
            const fanout_batch& batch = feeds[i].batch();
            connector_->write(batch);
            connector_->flush(cursors[i]);
            connector_->settle(FANOUT_SETTLE_WRITTEN);
            changes += batch.change_count;
            transactions += batch.transaction_count;
        }
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        const auto count = static_cast<double>(changes);
        std::printf(
            "%-8s %8zu changes %7zu txns %8.0f changes/s %8.0f txns/s  client %.2f us  "
            "target %.2f us per change\n",
            what, changes, transactions, count / seconds,
            static_cast<double>(transactions) / seconds, (own_cpu_us() - client) / count,
            (process_cpu_us(backend_) - backend) / count);
    }

  private:
    Client source_;
    std::string dsn_;
    Client target_;
    std::unique_ptr<postgres::PostgresConnector> connector_;
    std::string backend_;
};

Row wide_row(Bench& bench, const SourceTable& table) {
    bench.source().run(
        "INSERT INTO w VALUES (1, 2, 3, 12345.67, 1.5, true, now(), "
        "'0c7a9d0e-5f0b-4a86-9b7f-2f1f6f3f2a11', repeat('s', 24), repeat('l', 50))");
    return table.stored_rows(bench.source()).front();
}

void wide(const char* mode, std::int64_t rows, std::int64_t group) {
    Bench bench;
    bench.source().run(kWide);
    const SourceTable table(bench.source(), "public", "w");
    Row row = wide_row(bench, table);
    std::int64_t at = 0;
    for (const bool update : {false, true}) {
        if (update && std::strcmp(mode, "insert") == 0) break;
        std::deque<Feed> feeds;
        std::deque<fanout_cursor> cursors;
        for (std::int64_t done = 0; done < rows; done += group) {
            Feed& feed = feeds.emplace_back(static_cast<std::uint64_t>(++at) * 0x1000000);
            feed.begin();
            for (std::int64_t i = 0; i < group; ++i) {
                const std::int64_t id = (done + i) * (update ? 7919 : 1) % rows;
                row[0] = cell(id);
                row[1] = cell(static_cast<std::int32_t>(id + (update ? 1 : 0)));
                if (update)
                    feed.update(table, row);
                else
                    feed.insert(table, row);
            }
            cursors.push_back(feed.commit());
        }
        bench.measure(update ? "update" : "insert", feeds, cursors);
        bench.target().run("VACUUM ANALYZE w");
    }
}

void mixed(std::int64_t transactions, std::int64_t group) {
    Bench bench;
    const char* const tables =
        "CREATE TABLE a (aid int PRIMARY KEY, bid int, abalance int, filler char(84));"
        "CREATE TABLE t (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));"
        "CREATE TABLE b (bid int PRIMARY KEY, bbalance int, filler char(88));"
        "CREATE TABLE h (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))";
    bench.source().run(tables);
    bench.target().run(tables);
    const char* const rows =
        "INSERT INTO a SELECT i, 1, 0, '' FROM generate_series(0, %lld) i;"
        "INSERT INTO t SELECT i, 1, 0, '' FROM generate_series(0, 99) i;"
        "INSERT INTO b SELECT i, 0, '' FROM generate_series(0, 9) i;"
        "INSERT INTO h VALUES (1, 1, 1, 1, now(), NULL)";
    char text[512];
    std::snprintf(text, sizeof text, rows, 999'999LL);
    bench.target().run(text);
    bench.target().run("TRUNCATE h");
    bench.target().run("VACUUM ANALYZE");
    std::snprintf(text, sizeof text, rows, 0LL);
    bench.source().run(text);
    Client& source = bench.source();
    const SourceTable a(source, "public", "a"), t(source, "public", "t"), b(source, "public", "b"),
        h(source, "public", "h");
    Row ra = a.stored_rows(source)[0], rt = t.stored_rows(source)[0], rb = b.stored_rows(source)[0],
        rh = h.stored_rows(source)[0];
    std::deque<Feed> feeds;
    std::deque<fanout_cursor> cursors;
    std::uint32_t random = 1;
    const auto next = [&](std::uint32_t below) {
        random = random * 1664525U + 1013904223U;
        return static_cast<std::int32_t>((random >> 8) % below);
    };
    for (std::int64_t done = 0; done < transactions; done += group) {
        Feed& feed = feeds.emplace_back(static_cast<std::uint64_t>(done + 1) * 0x1000);
        for (std::int64_t i = 0; i < group; ++i) {
            feed.begin();
            ra[0] = cell(next(1'000'000));
            rt[0] = cell(next(100));
            rb[0] = cell(next(10));
            ra[2] = rt[2] = rb[1] = rh[3] = cell(next(10'000));
            feed.update(a, ra).update(t, rt).update(b, rb).insert(h, rh);
            const fanout_cursor cursor = feed.commit();
            if (i + 1 == group) cursors.push_back(cursor);
        }
    }
    bench.measure("mixed", feeds, cursors);
}

}  // namespace

int main(int argc, char** argv) {
    const char* const mode = argc > 1 ? argv[1] : "insert";
    const std::int64_t count = argc > 2 ? std::atoll(argv[2]) : 100'000;
    const std::int64_t group = argc > 3 ? std::atoll(argv[3]) : 1000;
    if (std::strcmp(mode, "mixed") == 0)
        mixed(count, group);
    else
        wide(mode, count, group);
    return 0;
}
