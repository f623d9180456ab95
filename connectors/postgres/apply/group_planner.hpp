// Turns the changes of a batch into steps: as few statements as the tables allow, with the same end
// as the source's order. Which regrouping is safe for which table is decided in table_plan.
//
// Lane's thread. Holds no connection: the model test drives it with a map as its target. Rows point
// into the batch, or into images the planner owns until the next plan().
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "fanout/base/ids.hpp"
#include "postgres/apply/table_plan.hpp"

namespace fanout::postgres {

struct PlannedRow {
    const fanout_value* old_image = nullptr;  // where the key is, or the whole old row
    const fanout_value* new_image = nullptr;
    Position at;
};

struct Step {
    StepKind kind = StepKind::insert;
    TablePlan* plan = nullptr;  // null: truncate
    std::vector<PlannedRow> rows;
    std::vector<const TablePlan*> truncated;
    unsigned truncate_flags = 0;
    Position at;           // of a truncate
    bool lenient = false;  // rows may be missing
};

class GroupPlanner {
  public:
    using Lookup = std::function<TablePlan*(const fanout_table&)>;

    explicit GroupPlanner(Lookup lookup) : lookup_(std::move(lookup)) {}

    /// `regroup` false: one row per step, in source order. Valid until the next call.
    const std::vector<Step>& plan(const fanout_batch& batch, bool regroup);

  private:
    /// What a group has done to one key so far.
    struct KeyState {
        bool existed = false;  // before the group
        bool present = false;  // after it
        PlannedRow row;
    };
    /// What is collected of one table and not yet a step.
    struct Collected {
        TablePlan* plan = nullptr;
        std::unordered_map<std::string, std::size_t> by_key;  // index in `states`
        std::vector<KeyState> states;
        bool indexed = false;  // by_key knows them; not before something asks for a key
        Step run;
        std::unordered_set<std::string> run_keys;
    };

    void clear();
    Collected& collected(const fanout_table& table);
    void take(const fanout_change& change, Position at, bool regroup);
    void take_truncate(const fanout_change& change, Position at);
    void take_row(Collected& table, const fanout_change& change, const PlannedRow& row,
                  bool regroup);
    void add_alone(TablePlan& plan, StepKind kind, const PlannedRow& row);
    void take_lenient(Collected& table, const fanout_change& change, const PlannedRow& row,
                      bool regroup);
    void add_to_run(Collected& table, StepKind kind, const PlannedRow& row, bool lenient = false);
    bool hazard(Collected& table, StepKind kind, const PlannedRow& row, bool lenient);
    void push_run(Step run);

    bool fold(Collected& table, StepKind kind, const PlannedRow& row);
    bool fold_insert(Collected& table, const PlannedRow& row);
    bool fold_update(Collected& table, const PlannedRow& row);
    bool fold_update_key(Collected& table, const PlannedRow& row);
    bool fold_remove(Collected& table, const PlannedRow& row);
    static void index(Collected& table);
    KeyState* find(Collected& table, const std::string& key);
    KeyState& add(Collected& table, const std::string& key);

    void close(Collected& table);
    void close_all();
    void close_states(Collected& table);
    StepKind kind_of(const TablePlan& plan, const fanout_change& change, Position at) const;
    const fanout_value* merged(const TablePlan& plan, const fanout_value* newer,
                               const fanout_value* older);

    Lookup lookup_;
    std::vector<Step> steps_;
    std::deque<Collected> tables_;
    std::unordered_map<TablePlan*, Collected*> by_plan_;
    const fanout_table* last_table_ = nullptr;
    Collected* last_ = nullptr;
    Collected* dependent_ = nullptr;  // the one ordered table with something collected
    std::deque<std::vector<fanout_value>> images_;
};

/// The key of an image, byte for byte.
std::string key_bytes(const TablePlan& plan, const fanout_value* image);

}  // namespace fanout::postgres
