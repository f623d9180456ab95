// Carries batches into the target: one open target transaction that grows with every write and ends
// with the cursor. A source transaction is never split over two of them.
//
// Lane's thread. First the regrouped way; if that fails or counts a row too few, the same batch
// again one change at a time, which either succeeds or names the change at fault.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "postgres/apply/group_planner.hpp"
#include "postgres/apply/statement_parameters.hpp"
#include "postgres/apply/table_plan.hpp"
#include "postgres/link/pipeline.hpp"
#include "postgres/target/create_tables.hpp"
#include "postgres/target/cursor_table.hpp"

namespace fanout::postgres {

struct ApplyOptions {
    bool create_tables = false;
    bool skip_missing_rows = false;
    MissingTypes missing_types = MissingTypes::error;
};

class Applier {
  public:
    Applier(Session& session, Pipeline& pipeline);

    /// Forgets tables and transaction: for a new connection.
    void reset(const ApplyOptions& options);
    void write(const fanout_batch& batch);
    /// Goes out with the next commit.
    void put_note(const std::string& name, const std::optional<std::string>& text) {
        notes_.emplace_back(name, text);
    }
    /// Makes the table if it may; refuses it if it has rows and must have none.
    void prepare_table(const fanout_table& table, bool must_be_empty);
    /// The cursor and COMMIT in one round trip.
    void commit(const CursorTable& table, const fanout_cursor& cursor);

  private:
    TablePlan* table_plan(const fanout_table& table);
    void bind_tables(const fanout_batch& batch);
    std::optional<PipelineFailure> run(const std::vector<Step>& steps);
    void open_scope();
    void undo_scope();
    void send_step(const Step& step, std::size_t tag);
    std::size_t send_chunk(const Step& step, std::size_t first, std::size_t tag);
    RowStatement& choose_statement(const Step& step, std::size_t first, std::size_t last);
    void append_row(const RowStatement& use, const TablePlan& plan, const PlannedRow& row);
    std::int64_t expected_rows(const Step& step, std::size_t rows) const;
    [[noreturn]] void throw_failure(const PipelineFailure& failure,
                                    const std::vector<Step>& steps) const;

    Session& session_;
    Pipeline& pipeline_;
    ApplyOptions options_;
    GroupPlanner planner_;
    StatementParameters parameters_;
    std::vector<BinaryParameter> binary_;
    std::unordered_map<std::uint32_t, std::shared_ptr<TablePlan>> plans_;  // by source OID
    std::vector<std::shared_ptr<TablePlan>> retired_;  // shapes that ended inside this batch
    std::unordered_map<const fanout_table*, TablePlan*> bound_;  // of the current batch
    Statement advance_, put_note_, remove_note_;
    std::vector<std::pair<std::string, std::optional<std::string>>> notes_;
    bool in_transaction_ = false, in_savepoint_ = false;
};

}  // namespace fanout::postgres
