#include "postgres/apply/step_encoder.hpp"

#include <algorithm>
#include <stdexcept>

#include "_kit/stored_types.hpp"
#include "_kit/value_text.hpp"

namespace fanout::postgres {
namespace {

using connector::ConnectorError;

constexpr std::size_t kStatementRows = 1000;
constexpr std::size_t kStatementBytes = 1024 * 1024;
constexpr std::size_t kKeyTextBytes = 120;

const char* const kOperation[kStepKinds] = {"insert into", "update of", "update of",
                                            "delete from", "update of", "delete from"};

bool leaves_unchanged(const TablePlan& plan, const PlannedRow& row) {
    return std::any_of(plan.columns.begin(), plan.columns.end(), [&](const PlanColumn& column) {
        return column.may_be_unchanged && row.new_image[column.source].state == FANOUT_UNCHANGED;
    });
}

Oid element_oid(const TablePlan& plan, const ParameterSource& source) {
    if (source.from == ParameterSource::From::changed_mask ||
        source.from == ParameterSource::From::row_mark)
        return kit::type_oid::kBool;
    return plan.columns[source.column].form.element_oid;
}

bool is_huge(const Step& step, std::size_t row) {
    const std::size_t columns = step.plan->source_columns;
    return image_bytes(step.rows[row].old_image, columns) +
               image_bytes(step.rows[row].new_image, columns) >=
           kHugeRowBytes;
}

RowStatement& choose_statement(const Step& step, std::size_t first, std::size_t last) {
    TablePlan& plan = *step.plan;
    const bool matches = step.kind == StepKind::update_match || step.kind == StepKind::remove_match;
    StatementSet& set = last - first == 1 && !matches ? plan.one : plan.many;
    if (step.kind == StepKind::update)
        for (std::size_t i = first; i < last; ++i)
            if (leaves_unchanged(plan, step.rows[i])) return set.update_masked;
    return set.by_kind[static_cast<std::size_t>(step.kind)];
}

}  // namespace

void StepEncoder::encode(const Step& step, StatementSink& sink) {
    for (std::size_t next = 0; next < step.rows.size();)
        next = encode_piece(step, next, sink);
}

// Rows from `first` on, as many as one statement takes; returns the next one.
std::size_t StepEncoder::encode_piece(const Step& step, std::size_t first, StatementSink& sink) {
    std::size_t last = std::min(step.rows.size(), first + kStatementRows);
    for (std::size_t i = first; step.plan->may_be_huge && i < last; ++i)
        if (is_huge(step, i)) last = std::max(i, first + 1);
    RowStatement& use = choose_statement(step, first, last);
    if (use.statement.sql.empty()) return last;  // an update without a column to set
    const bool huge = last == first + 1 && step.plan->may_be_huge && is_huge(step, first);
    parameters_.reset(use.parameters.size(), use.arrays, huge);
    for (std::size_t i = 0; i < use.parameters.size(); ++i)
        parameters_.set_type(i, element_oid(*step.plan, use.parameters[i]));
    std::size_t next = first;
    while (next < last && parameters_.bytes() < kStatementBytes)
        append_row(use, *step.plan, step.rows[next++]);
    parameters_.finish(next - first);
    sink.send(use, parameters_, next - first);
    return next;
}

void StepEncoder::append_row(const RowStatement& use, const TablePlan& plan,
                             const PlannedRow& row) {
    using From = ParameterSource::From;
    for (std::size_t i = 0; i < use.parameters.size(); ++i) {
        const ParameterSource& source = use.parameters[i];
        if (source.from == From::row_mark) {
            parameters_.append_bool(i, true);
            continue;
        }
        const PlanColumn& column = plan.columns[source.column];
        const fanout_value* image = source.from == From::old_image ? row.old_image : row.new_image;
        const fanout_value& value = image[column.source];
        if (source.from == From::changed_mask) {
            parameters_.append_bool(i, value.state != FANOUT_UNCHANGED);
            continue;
        }
        try {
            parameters_.append(i, column.form, value);
        } catch (const std::invalid_argument& bad) {
            throw ConnectorError(FANOUT_REJECT, "table " + plan.name + ": " + bad.what(), {},
                                 row.at);
        }
    }
}

bool may_miss_rows(const Step& step, bool skip_missing_rows) {
    return step.kind != StepKind::insert &&
           (step.lenient || skip_missing_rows ||
            (step.plan->deletes_may_miss && step.kind != StepKind::update));
}

std::string describe(const Step& step) {
    return std::string(kOperation[static_cast<std::size_t>(step.kind)]) + " " + step.plan->name;
}

std::string describe(const Step& step, const PlannedRow& row) {
    std::string text = describe(step);
    const fanout_value* image = row.old_image != nullptr ? row.old_image : row.new_image;
    std::string names, values;
    for (const PlanColumn& column : step.plan->columns) {
        if (!column.key || image[column.source].state != FANOUT_PRESENT) continue;
        names += (names.empty() ? "" : ", ") + column.name;
        values += values.empty() ? "" : ", ";
        kit::append_text(values, column.form.column, image[column.source]);
    }
    if (values.size() > kKeyTextBytes) values = values.substr(0, kKeyTextBytes) + "…";
    if (!names.empty()) text += " where (" + names + ") = (" + values + ")";
    return text;
}

}  // namespace fanout::postgres
