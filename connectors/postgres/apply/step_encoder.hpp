// A step's rows as parameters of its table's statements, in pieces that one statement takes.
//
// Lane's thread. Who the statements are sent by is the sink's business.
#pragma once

#include <cstdint>
#include <string>

#include "postgres/apply/group_planner.hpp"
#include "postgres/apply/statement_parameters.hpp"
#include "postgres/apply/table_plan.hpp"

namespace fanout::postgres {

class StatementSink {
  public:
    virtual ~StatementSink() = default;
    /// `parameters` are for the sink to use or to take; `rows` went into them.
    virtual void send(RowStatement& statement, StatementParameters& parameters,
                      std::size_t rows) = 0;
};

class StepEncoder {
  public:
    /// All statements of a step that has rows.
    void encode(const Step& step, StatementSink& sink);

  private:
    std::size_t encode_piece(const Step& step, std::size_t first, StatementSink& sink);
    void append_row(const RowStatement& use, const TablePlan& plan, const PlannedRow& row);

    StatementParameters parameters_;
};

/// Whether the number of rows a step's statements touch says that something is wrong.
bool may_miss_rows(const Step& step, bool skip_missing_rows);

/// "update of "public"."t" where (id) = (5)", short enough for a message.
std::string describe(const Step& step, const PlannedRow& row);
/// "update of "public"."t"".
std::string describe(const Step& step);

}  // namespace fanout::postgres
