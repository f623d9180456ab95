// Every sequence of up to five changes on two keys, once in source order and once as planned, ends
// in the same table. The target here is a map that is as strict as a real one.
#include "postgres/apply/group_planner.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "fanout/connector/connector.hpp"

namespace fanout::postgres {
namespace {

// One row: key, a value that may be TOASTed, and a plain one. What the target alone has is "extra".
struct StoredRow {
    std::string big, small, extra;
    friend bool operator==(const StoredRow&, const StoredRow&) = default;
};
using Table = std::map<std::string, StoredRow>;

enum class Act {
    insert_a,
    insert_b,
    update_a,
    toast_a,
    update_b,
    remove_a,
    remove_b,
    a_to_b,
    b_to_a
};
constexpr Act kActs[] = {Act::insert_a, Act::insert_b, Act::update_a, Act::toast_a, Act::update_b,
                         Act::remove_a, Act::remove_b, Act::a_to_b,   Act::b_to_a};

// Builds changes that a source could make: nothing that its own key would refuse.
class Model {
  public:
    explicit Model(Table start) : source_(std::move(start)) {}

    bool apply(Act act) {
        switch (act) {
            case Act::insert_a:
                return insert("a");
            case Act::insert_b:
                return insert("b");
            case Act::update_a:
                return update("a", "a", false);
            case Act::toast_a:
                return update("a", "a", true);
            case Act::update_b:
                return update("b", "b", false);
            case Act::remove_a:
                return remove("a");
            case Act::remove_b:
                return remove("b");
            case Act::a_to_b:
                return update("a", "b", true);
            case Act::b_to_a:
                return update("b", "a", false);
        }
        return false;
    }

    const Table& source() const { return source_; }

    fanout_batch batch() {
        transaction_ = {};
        transaction_.commit_lsn = 1;
        transaction_.changes = changes_.data();
        transaction_.change_count = changes_.size();
        return {&transaction_, 1, changes_.size()};
    }

  private:
    std::string fresh() { return std::to_string(++counter_); }

    bool insert(const std::string& key) {
        if (source_.contains(key)) return false;
        const StoredRow row{"big" + fresh(), "s" + fresh(), "default"};
        source_[key] = row;
        add(FANOUT_INSERT, nullptr, image(key, row.big, row.small));
        return true;
    }

    bool update(const std::string& from, const std::string& to, bool toast) {
        if (!source_.contains(from) || (from != to && source_.contains(to))) return false;
        StoredRow row = source_[from];
        source_.erase(from);
        row.small = "s" + fresh();
        if (!toast) row.big = "big" + fresh();
        source_[to] = row;
        add(FANOUT_UPDATE, from == to ? nullptr : image(from, std::nullopt, std::nullopt),
            image(to, toast ? std::nullopt : std::optional(row.big), row.small));
        return true;
    }

    bool remove(const std::string& key) {
        if (source_.erase(key) == 0) return false;
        add(FANOUT_DELETE, image(key, std::nullopt, std::nullopt), nullptr);
        return true;
    }

    void add(fanout_op op, const fanout_value* before, const fanout_value* after) {
        fanout_change change{};
        change.op = static_cast<std::uint8_t>(op);
        change.before_kind = before != nullptr ? FANOUT_BEFORE_KEY : FANOUT_BEFORE_NONE;
        change.index = changes_.size();
        change.table = &table_;
        change.before = before;
        change.after = after;
        changes_.push_back(change);
    }

    const fanout_value* image(const std::string& key, const std::optional<std::string>& big,
                              const std::optional<std::string>& small) {
        auto& values = images_.emplace_back();
        values.push_back(value(key));
        values.push_back(value(big));
        values.push_back(value(small));
        return values.data();
    }

    fanout_value value(const std::optional<std::string>& text) {
        if (!text) return {nullptr, 0, FANOUT_UNCHANGED};
        const std::string& kept = texts_.emplace_back(*text);
        return {reinterpret_cast<const std::uint8_t*>(kept.data()),
                static_cast<std::uint32_t>(kept.size()), FANOUT_PRESENT};
    }

    Table source_;
    int counter_ = 0;
    fanout_table table_{};
    std::vector<fanout_change> changes_;
    std::deque<std::vector<fanout_value>> images_;
    std::deque<std::string> texts_;
    fanout_transaction transaction_{};
};

TablePlan make_plan(Regrouping regrouping, bool extra_columns) {
    TablePlan plan;
    plan.name = "t";
    plan.source_columns = 3;
    plan.regrouping = regrouping;
    plan.extra_columns = extra_columns;
    plan.independent = true;
    for (std::size_t i = 0; i < 3; ++i) {
        PlanColumn column;
        column.source = i;
        column.key = i == 0;
        column.may_be_unchanged = i == 1;
        plan.columns.push_back(column);
    }
    plan.key = {0};
    return plan;
}

std::string text(const fanout_value& value) {
    return {reinterpret_cast<const char*>(value.data), value.size};
}

// Applies steps to `table`; a text if it could not, as a server would refuse.
std::string execute(const std::vector<Step>& steps, Table& table) {
    for (const Step& step : steps) {
        std::map<std::string, int> seen;
        for (const PlannedRow& row : step.rows) {
            const fanout_value* key_image =
                step.kind == StepKind::insert ? row.new_image : row.old_image;
            const std::string key = text(key_image[0]);
            if (++seen[key] > 1) return "key " + key + " twice in one statement";
            if (step.kind == StepKind::insert) {
                if (row.new_image[1].state != FANOUT_PRESENT) return "insert with a hole";
                if (!table
                         .emplace(key, StoredRow{text(row.new_image[1]), text(row.new_image[2]),
                                                 "default"})
                         .second)
                    return "duplicate key " + key;
                continue;
            }
            const auto found = table.find(key);
            if (found == table.end()) return "no row " + key;
            StoredRow stored = found->second;
            table.erase(found);
            if (step.kind == StepKind::remove) continue;
            if (row.new_image[1].state == FANOUT_PRESENT) stored.big = text(row.new_image[1]);
            stored.small = text(row.new_image[2]);
            const std::string to = step.kind == StepKind::update_key ? text(row.new_image[0]) : key;
            if (!table.emplace(to, stored).second) return "duplicate key " + to;
        }
    }
    return {};
}

struct Shape {
    Regrouping regrouping;
    bool extra_columns;
};

class GroupPlannerTest : public testing::TestWithParam<Shape> {
  protected:
    // Returns how many sequences there were below this prefix.
    std::size_t explore(std::vector<Act>& acts, const Table& start, std::size_t depth) {
        std::size_t count = 0;
        if (!acts.empty()) {
            if (!check(acts, start)) return 0;
            ++count;
        }
        if (depth == 0) return count;
        for (const Act act : kActs) {
            acts.push_back(act);
            count += explore(acts, start, depth - 1);
            acts.pop_back();
        }
        return count;
    }

    bool check(const std::vector<Act>& acts, const Table& start) {
        TablePlan plan = make_plan(GetParam().regrouping, GetParam().extra_columns);
        Model model(start);
        for (const Act act : acts)
            if (!model.apply(act)) return false;
        GroupPlanner planner([&](const fanout_table&) { return &plan; });
        const fanout_batch batch = model.batch();
        std::string sequence;
        for (const Act act : acts)
            sequence += std::to_string(static_cast<int>(act)) + " ";
        for (const bool regroup : {false, true}) {
            Table target = start;
            const auto& steps = planner.plan(batch, regroup);
            EXPECT_EQ(execute(steps, target), "") << sequence;
            // Only what the target alone has may tell a deleted and re-made row from a kept one.
            EXPECT_EQ(target, model.source()) << sequence << " regroup " << regroup;
        }
        return true;
    }
};

TEST_P(GroupPlannerTest, AnyOrderOfChangesEndsAsInTheSource) {
    const std::string kept = GetParam().extra_columns ? "mine" : "default";
    const std::vector<Table> starts = {
        {},
        {{"a", {"A0", "0", kept}}},
        {{"a", {"A0", "0", kept}}, {"b", {"B0", "0", kept}}},
    };
    std::size_t sequences = 0;
    for (const Table& start : starts) {
        std::vector<Act> acts;
        sequences += explore(acts, start, 5);
    }
    EXPECT_GT(sequences, 5000U);
}

INSTANTIATE_TEST_SUITE_P(Shapes, GroupPlannerTest,
                         testing::Values(Shape{Regrouping::folded, false},
                                         Shape{Regrouping::folded, true},
                                         Shape{Regrouping::runs, false},
                                         Shape{Regrouping::nothing, true}));

TEST(GroupPlannerStepsTest, AHotRowBecomesOneUpdate) {
    TablePlan plan = make_plan(Regrouping::folded, false);
    Model model({{"a", {"A0", "0", "default"}}});
    for (int i = 0; i < 100; ++i)
        ASSERT_TRUE(model.apply(Act::update_a));
    GroupPlanner planner([&](const fanout_table&) { return &plan; });
    const fanout_batch batch = model.batch();
    const auto& steps = planner.plan(batch, true);
    ASSERT_EQ(steps.size(), 1U);
    EXPECT_EQ(steps[0].rows.size(), 1U);
    EXPECT_EQ(planner.plan(batch, false).size(), 100U);
}

TEST(GroupPlannerStepsTest, RunsEndWhereAKeyRepeats) {
    TablePlan plan = make_plan(Regrouping::runs, false);
    Model model({{"a", {"A0", "0", "default"}}, {"b", {"B0", "0", "default"}}});
    for (const Act act : {Act::update_a, Act::update_b, Act::update_a, Act::remove_a})
        ASSERT_TRUE(model.apply(act));
    GroupPlanner planner([&](const fanout_table&) { return &plan; });
    const fanout_batch batch = model.batch();
    const auto& steps = planner.plan(batch, true);
    ASSERT_EQ(steps.size(), 3U);
    EXPECT_EQ(steps[0].rows.size(), 2U);
}

}  // namespace
}  // namespace fanout::postgres
