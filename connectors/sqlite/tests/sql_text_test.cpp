#include "sqlite/sql_text.hpp"

#include <gtest/gtest.h>

#include "_kit/tests/test_row.hpp"

namespace fanout::sqlite_target {
namespace {

using kit::TestRow;
using kit::type_oid::kInt4;
using kit::type_oid::kText;

TEST(SqlText, names_tables_without_schemas) {
    EXPECT_EQ(target_name(TestRow("public", "Orders").table()), "Orders");
    EXPECT_EQ(target_name(TestRow("sales", "orders").table()), "sales.orders");
}

TEST(SqlText, creates_a_table_with_its_key) {
    TestRow row("sales", "we\"ird");
    row.fixed<std::int32_t>("id", kInt4, 1, kit::kPrimaryKey);
    row.numeric("total", {0});
    row.bytes("raw", kit::type_oid::kBytea, "");
    row.fixed<double>("weight", kit::type_oid::kFloat8, 1);
    EXPECT_EQ(create_table_text(row.table()),
              R"(CREATE TABLE "sales.we""ird" ("id" INTEGER, "total" TEXT, "raw" BLOB, )"
              R"("weight" REAL, PRIMARY KEY ("id")))");
}

TEST(SqlText, creates_a_key_from_a_replica_identity_index) {
    TestRow row("public", "t", 'i');
    row.fixed<std::int32_t>("a", kInt4, 1, FANOUT_COLUMN_KEY);
    row.fixed<std::int32_t>("b", kInt4, 1);
    EXPECT_NE(create_table_text(row.table()).find("PRIMARY KEY (\"a\")"), std::string::npos);
}

TEST(SqlText, finds_a_row_by_its_key) {
    TestRow row;
    row.fixed<std::int32_t>("a", kInt4, 1, kit::kPrimaryKey);
    row.fixed<std::int32_t>("b", kInt4, 1, kit::kPrimaryKey);
    row.bytes("c", kText, "x");
    const auto& table = row.table();
    const RowFinder finder = row_finder(table);
    EXPECT_EQ(finder.kind, RowFinder::Kind::key);
    EXPECT_EQ(update_text(table, {2}, finder),
              R"(UPDATE "t" SET "c" = ? WHERE "a" = ? AND "b" = ?)");
    EXPECT_EQ(delete_text(table, finder), R"(DELETE FROM "t" WHERE "a" = ? AND "b" = ?)");
}

TEST(SqlText, finds_one_of_equal_rows_by_its_number) {
    TestRow row("public", "t", 'f');
    row.bytes("RowID", kText, "x", FANOUT_COLUMN_KEY);
    const auto& table = row.table();
    EXPECT_EQ(delete_text(table, row_finder(table)),
              R"(DELETE FROM "t" WHERE _rowid_ = (SELECT _rowid_ FROM "t" WHERE "RowID" IS ? )"
              R"(LIMIT 1))");
}

TEST(SqlText, finds_nothing_without_an_identity) {
    TestRow none("public", "t", 'n'), keyless("public", "t", 'd');
    none.fixed<std::int32_t>("a", kInt4, 1, FANOUT_COLUMN_PRIMARY_KEY);
    keyless.fixed<std::int32_t>("a", kInt4, 1);
    EXPECT_EQ(row_finder(none.table()).kind, RowFinder::Kind::none);
    EXPECT_EQ(row_finder(keyless.table()).kind, RowFinder::Kind::none);
}

TEST(SqlText, inserts_into_a_table_without_columns) {
    EXPECT_EQ(insert_text(TestRow().table(), {}), R"(INSERT INTO "t" DEFAULT VALUES)");
}

}  // namespace
}  // namespace fanout::sqlite_target
