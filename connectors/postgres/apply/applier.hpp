// Carries batches into the target, group by group: a group is one flush's batch, and becomes one
// target transaction together with its cursor. A source transaction is never split over two.
//
// Lane's thread. Normally a group is sent whole, COMMIT included, and not waited for; its batch's
// memory is the host's and stays valid until the group is done. Whatever fails on that way is
// undone by the server with everything behind it, and applied again carefully, from the same
// batches.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "postgres/apply/careful_applier.hpp"
#include "postgres/apply/durability.hpp"
#include "postgres/apply/group_planner.hpp"
#include "postgres/apply/step_encoder.hpp"
#include "postgres/apply/table_plans.hpp"
#include "postgres/link/conveyor.hpp"
#include "postgres/target/cursor_table.hpp"
#include "postgres/target/schema_change.hpp"

namespace fanout::postgres {

struct ApplyOptions {
    bool create_tables = false;
    bool skip_missing_rows = false;
    MissingTypes missing_types = MissingTypes::error;
    /// The session's commits are not waited for; otherwise what is committed is durable.
    bool commits_ahead = false;
};

class Applier : private StatementSink {
  public:
    Applier(Session& session, Pipeline& pipeline, const CursorTable& cursor_table);

    /// Forgets everything: for a new connection, which stands at `cursor`.
    void reset(const ApplyOptions& options, const fanout_cursor& cursor);
    void write(const fanout_batch& batch);
    void flush(const fanout_cursor& cursor);
    fanout_progress settle(fanout_settle until);
    fanout_progress progress() const noexcept { return {writes_done_, durability_.durable()}; }
    /// Goes out with the next flush.
    void put_note(const std::string& name, const std::optional<std::string>& text) {
        notes_.emplace_back(name, text);
    }
    /// Makes the table if it may; refuses it if it has rows and must have none.
    void prepare_table(const fanout_table& table, bool must_be_empty);
    void create_index(const fanout_table& table, const fanout_index& index, bool own_tables_only);

  private:
    struct Group {
        fanout_batch batch{};
        CursorPlace place;
        std::uint64_t mark = 0;         // of the conveyor: it is done when so many have passed
        std::uint64_t writes = 0;       // done with when it is done
        std::uint64_t flushes = 0;      // committed when it is done
        Lsn inserted = 0, flushed = 0;  // the target's WAL when its cursor moved
        Notes notes;
    };
    struct Shape {
        bool can_go_ahead = true;
        bool folds = true;  // any number of its transactions may be one group
    };

    void take_written();
    void change_schema(const fanout_batch& batch);
    Shape shape_of(const fanout_batch& batch) const;
    void send_group(const fanout_batch& batch, const fanout_cursor& cursor, bool last);
    void send_copy(const char* before, const Step& step);
    void send_text(Statement& statement, const std::vector<TextParameter>& parameters = {},
                   const void* owner = nullptr, Conveyor::Reader reader = {});
    void send(RowStatement& statement, StatementParameters& parameters, std::size_t rows) override;
    void finish_groups();
    void write_carefully(const fanout_batch& batch, bool regroup = true);
    void keep_what_is_done() noexcept;
    void take_done_groups();
    void committed(const CursorPlace& place, std::uint64_t flushes);
    void recover();
    void commit_carefully(const fanout_cursor& cursor, const Notes& notes, std::uint64_t flushes);
    void make_durable();
    void wait_for_commits();

    static constexpr std::uint64_t kStatementsBetweenMoves = 16;

    Session& session_;
    const CursorTable& cursor_table_;
    TablePlans plans_;
    GroupPlanner planner_;
    CarefulApplier careful_;
    SchemaChanger schema_;
    Conveyor conveyor_;
    StepEncoder encoder_;
    Durability durability_;
    ApplyOptions options_;
    std::optional<fanout_batch> written_;  // not flushed yet
    std::deque<Group> groups_;             // sent and not known to be done
    std::uint64_t marks_sent_ = 0;
    std::uint64_t writes_ = 0, writes_done_ = 0;
    std::uint64_t flushes_ = 0, flushes_done_ = 0;
    std::uint64_t statements_since_move_ = 0;
    CursorPlace sent_;  // of the last group sent
    CursorPlace done_;  // of the last group done
    bool standby_appeared_ = false;
    Statement begin_, commit_, advance_, put_note_, remove_note_;
    Notes notes_;                 // for the next group
    const Step* step_ = nullptr;  // being sent
};

}  // namespace fanout::postgres
