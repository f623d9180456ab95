// L: a schema change at its place in the transaction, for connectors with FANOUT_CAP_DDL.
#include <array>
#include <deque>
#include <iterator>

#include "tests/contract/contract_fixture.hpp"

namespace fanout::contract {
namespace {

constexpr std::uint64_t kLsn = 0x2'0000'0000;

fanout_text text_of(const char* text) {
    return {text, std::char_traits<char>::length(text)};
}

fanout_column column(const char* name, unsigned flags = 0) {
    fanout_column made{};
    made.name = text_of(name);
    made.type_name = text_of("integer");
    made.type_oid = 23;
    made.typmod = -1;
    made.width = 4;
    made.value_class = FANOUT_FIXED;
    made.flags = static_cast<std::uint8_t>(flags);
    return made;
}

/// One table in the shapes it has one after the other, and the changes of one transaction.
class SchemaChangeTest : public ExactlyOnceTest {
  protected:
    void SetUp() override {
        ExactlyOnceTest::SetUp();
        if (!has(FANOUT_CAP_DDL)) GTEST_SKIP() << "the connector applies no schema changes";
        const unsigned key = FANOUT_COLUMN_KEY | FANOUT_COLUMN_PRIMARY_KEY | FANOUT_COLUMN_NOT_NULL;
        columns_ = {column("id", key), column("a"), column("b")};
        for (std::size_t i = 0; i < 2; ++i) {
            shapes_[i].oid = 30001;
            shapes_[i].version = i + 1;
            shapes_[i].schema = text_of("public");
            shapes_[i].name = text_of("shaped");
            shapes_[i].columns = columns_.data();
            shapes_[i].column_count = 2 + i;
            shapes_[i].identity = 'd';
        }
    }

    fanout_change row(std::size_t shape, std::initializer_list<std::int32_t> numbers) {
        auto& kept = numbers_.emplace_back(numbers);
        auto& image = images_.emplace_back();
        for (std::int32_t& number : kept)
            image.push_back(
                {reinterpret_cast<const std::uint8_t*>(&number), sizeof number, FANOUT_PRESENT});
        fanout_change change{};
        change.op = FANOUT_INSERT;
        change.index = ++index_;
        change.table = &shapes_[shape];
        change.after = image.data();
        return change;
    }

    fanout_change ddl(fanout_ddl_kind kind, std::size_t shape, const char* new_column = "") {
        auto& made = ddls_.emplace_back();
        made.kind = static_cast<std::uint8_t>(kind);
        made.oid = shapes_[0].oid;
        made.table = &shapes_[shape];
        made.schema = made.new_schema = text_of("public");
        made.name = made.new_name = text_of("shaped");
        made.new_column = text_of(new_column);
        if (kind == FANOUT_DDL_ADD_COLUMN) made.missing = text_of("7");
        made.statement = text_of("ALTER TABLE shaped");
        fanout_change change{};
        change.op = FANOUT_DDL;
        change.index = ++index_;
        change.ddl = &made;
        return change;
    }

    /// Each in a write of its own, as parts of one transaction.
    Outcome write(Instance& instance, const std::vector<fanout_change>& changes) {
        for (std::size_t i = 0; i < changes.size(); ++i) {
            fanout_transaction part{};
            part.commit_lsn = kLsn;
            part.end_lsn = kLsn + 0x30;
            part.xid = 900;
            part.begins = i == 0;
            part.ends = i + 1 == changes.size();
            part.changes = &kept_.emplace_back(changes[i]);
            part.change_count = 1;
            if (auto outcome = instance.write({part}); outcome.code != FANOUT_OK) return outcome;
        }
        return {};
    }

    static std::string line(const char* values) { return std::string("public.shaped ") + values; }
    const fanout_cursor cursor_{kLsn, kLsn + 0x30, 0};

    std::vector<fanout_column> columns_;
    std::array<fanout_table, 2> shapes_{};
    std::deque<std::vector<std::int32_t>> numbers_;
    std::deque<std::vector<fanout_value>> images_;
    std::deque<fanout_ddl> ddls_;
    std::deque<fanout_change> kept_;
    std::uint64_t index_ = 0;
};

TEST_F(SchemaChangeTest, applies_a_change_at_its_place_and_forgets_it_with_its_transaction) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    const std::vector<fanout_change> changes = {row(0, {1, 10}), ddl(FANOUT_DDL_ADD_COLUMN, 1, "b"),
                                                row(1, {2, 20, 200})};
    CONTRACT_ASSERT_OK(write(*instance, changes));
    instance->close();
    CONTRACT_ASSERT_OK(instance->open({}));
    EXPECT_TRUE(content().empty());
    CONTRACT_ASSERT_OK(write(*instance, changes));
    CONTRACT_ASSERT_OK(instance->flush(cursor_));
    EXPECT_EQ(content(), (std::vector<std::string>{line(R"({"a":10,"b":7,"id":1})"),
                                                   line(R"({"a":20,"b":200,"id":2})")}));
}

TEST_F(SchemaChangeTest, passes_over_what_is_done_already_and_what_means_nothing) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    CONTRACT_ASSERT_OK(
        write(*instance, {ddl(FANOUT_DDL_DROP_TABLE, 1), ddl(FANOUT_DDL_RENAME_TABLE, 1),
                          ddl(FANOUT_DDL_ADD_COLUMN, 1, "b"), row(1, {1, 10, 100}),
                          ddl(FANOUT_DDL_ADD_COLUMN, 1, "b"), ddl(FANOUT_DDL_CREATE_TABLE, 1),
                          ddl(FANOUT_DDL_CREATE_INDEX, 1), ddl(FANOUT_DDL_COMMENT, 1),
                          ddl(FANOUT_DDL_ATTACH_PARTITION, 1), ddl(FANOUT_DDL_OTHER, 1)}));
    CONTRACT_ASSERT_OK(instance->flush(cursor_));
    EXPECT_EQ(content(), std::vector<std::string>{line(R"({"a":10,"b":100,"id":1})")});
}

TEST_F(SchemaChangeTest, is_empty_behind_a_rewrite) {
    const auto instance = make();
    CONTRACT_ASSERT_OK(instance->open({}));
    CONTRACT_ASSERT_OK(
        write(*instance, {row(0, {1, 10}), row(0, {2, 20}), ddl(FANOUT_DDL_REWRITE, 1),
                          ddl(FANOUT_DDL_ADD_COLUMN, 1, "b"), row(1, {1, 11, 111})}));
    CONTRACT_ASSERT_OK(instance->flush(cursor_));
    EXPECT_EQ(content(), std::vector<std::string>{line(R"({"a":11,"b":111,"id":1})")});
}

}  // namespace
}  // namespace fanout::contract
