// One group at a time, each answer waited for: what was sent ahead and failed, parts of
// transactions that are larger than a batch, and tables whose triggers look at every change.
//
// Lane's thread. First the regrouped way; if that fails or counts a row too few, the same batch
// again one change at a time, which either succeeds or names the change at fault. A batch behind
// the first of a group stands in a savepoint, because those before it cannot be repeated.
#pragma once

#include <optional>
#include <vector>

#include "postgres/apply/group_planner.hpp"
#include "postgres/apply/huge_rows.hpp"
#include "postgres/apply/step_encoder.hpp"
#include "postgres/apply/table_plans.hpp"
#include "postgres/link/pipeline.hpp"
#include "postgres/target/cursor_table.hpp"

namespace fanout::postgres {

class CarefulApplier : private StatementSink {
  public:
    CarefulApplier(Session& session, Pipeline& pipeline, TablePlans& plans, GroupPlanner& planner);

    void reset(bool skip_missing_rows);
    bool in_transaction() const { return in_transaction_; }
    /// Applies the batch in the open transaction, or in a new one. `regroup` false: it failed
    /// already.
    /// Opens the transaction, if none is open.
    void begin();
    /// Undoes all that is not committed. False: the connection is in the midst of something.
    bool roll_back();
    void write(const fanout_batch& batch, bool regroup = true);
    /// The cursor, which must stand at `previous`, and COMMIT in one round trip.
    void commit(const CursorTable& table, const fanout_cursor& cursor, const CursorPlace& previous,
                const Notes& notes);
    /// As commit, and durable even if the session's commits are not waited for.
    void commit_durably(const CursorTable& table, const fanout_cursor& cursor,
                        const CursorPlace& previous);

  private:
    void send(RowStatement& statement, StatementParameters& parameters, std::size_t rows) override;
    std::optional<PipelineFailure> run(const std::vector<Step>& steps);
    std::optional<PipelineFailure> send_huge(RowStatement& statement,
                                             const StatementParameters& parameters,
                                             std::size_t rows);
    void open_scope();
    void undo_scope();
    void finish(const CursorTable& table, const fanout_cursor& cursor, const CursorPlace& previous,
                const Notes& notes, bool durably);
    [[noreturn]] void throw_failure(const PipelineFailure& failure,
                                    const std::vector<Step>& steps) const;

    Session& session_;
    Pipeline& pipeline_;
    TablePlans& plans_;
    GroupPlanner& planner_;
    StepEncoder encoder_;
    HugeRows huge_rows_;
    std::optional<PipelineFailure> failed_early_;  // before the pipeline's end
    std::vector<BinaryParameter> binary_;
    Statement advance_, put_note_, remove_note_;
    const Step* step_ = nullptr;  // being sent
    std::size_t tag_ = 0;
    bool skip_missing_rows_ = false;
    bool in_transaction_ = false, in_savepoint_ = false;
};

}  // namespace fanout::postgres
