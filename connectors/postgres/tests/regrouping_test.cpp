// Tables whose changes fail together and succeed one by one, whatever the reason: three times, and
// they are applied one by one until the connection ends.
#include <algorithm>

#include "postgres/tests/connector_fixture.hpp"

namespace fanout::postgres_test {
namespace {

/// The parameter: each group comes in two writes, so that it cannot be sent ahead.
class RegroupingTest : public ConnectorFixture, public testing::WithParamInterface<bool> {
  protected:
    void SetUp() override {
        ConnectorFixture::SetUp();
        source->run(
            "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, CASE i WHEN 66 "
            "THEN 'bad' ELSE 'v' END FROM generate_series(1, 99) i");
        // Rows that come together are refused; of the others the table tells how they came.
        target->run(
            "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'), made_by text DEFAULT "
            "pg_catalog.current_query(), CONSTRAINT alone CHECK (pg_catalog.current_query() NOT "
            "LIKE '%unnest%'))");
        table_ = std::make_unique<SourceTable>(*source, "public", "t");
        rows_ = table_->stored_rows(*source);
        open();
    }

    /// Four rows of one flush, from `first` on.
    void insert(int first) {
        Feed feed(lsn_ += 0x1000), more(lsn_ += 0x1000);
        const auto row = [&](int id) { return rows_.at(static_cast<std::size_t>(id - 1)); };
        feed.begin().insert(*table_, row(first)).insert(*table_, row(first + 1));
        auto cursor = feed.commit();
        Feed& last = GetParam() ? more : feed;
        last.begin().insert(*table_, row(first + 2)).insert(*table_, row(first + 3));
        cursor = last.commit();
        connector->write(feed.batch());
        if (GetParam()) connector->write(more.batch());
        flush(cursor);
    }

    std::int64_t warned() const {
        return std::count_if(warnings.begin(), warnings.end(), [](const std::string& text) {
            return text.find("table \"public\".\"t\": changes are applied one by one") !=
                   std::string::npos;
        });
    }
    std::string count(const std::string& of) {
        return target->value("SELECT count(*) FROM t WHERE " + of);
    }

  private:
    std::unique_ptr<SourceTable> table_;
    std::vector<Row> rows_;
    Lsn lsn_ = 0x1000;
};

TEST_P(RegroupingTest, ThreeFailuresEndIt) {
    // In two writes a group fails once for each.
    const int failures_each = GetParam() ? 2 : 1;
    int first = 1;
    for (int failures = 0; failures < 3; failures += failures_each, first += 4) {
        EXPECT_EQ(warned(), 0);
        insert(first);
    }
    EXPECT_EQ(count("true"), std::to_string(first - 1));
    ASSERT_EQ(warned(), 1);
    EXPECT_NE(warnings.back().find("\"alone\""), std::string::npos) << warnings.back();
    // Now nothing is in the way of coming together.
    target->run("ALTER TABLE t DROP CONSTRAINT alone");
    insert(41);
    EXPECT_EQ(count("id > 40 AND made_by LIKE 'INSERT%' AND made_by NOT LIKE '%unnest%'"), "4");
    EXPECT_EQ(warned(), 1);
    // The next connection tries again.
    connector->close();
    open();
    insert(51);
    EXPECT_EQ(count("id > 50 AND made_by LIKE '%unnest%'"), "4");
}

TEST_P(RegroupingTest, ARowThatIsRefusedIsNotWhy) {
    insert(1);
    if (!GetParam()) insert(5);
    // Two have failed. The third does so alone, too.
    const auto [outcome, text] = outcome_of([&] { insert(GetParam() ? 65 : 63); });
    EXPECT_EQ(outcome, FANOUT_REJECT);
    EXPECT_NE(text.find("where (id) = (66)"), std::string::npos) << text;
    EXPECT_EQ(warned(), 0);
}

INSTANTIATE_TEST_SUITE_P(Writes, RegroupingTest, testing::Bool(), [](const auto& tested) {
    return std::string(tested.param ? "Two" : "One");
});

}  // namespace
}  // namespace fanout::postgres_test
