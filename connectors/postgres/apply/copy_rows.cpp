// The binary COPY format: a signature, then per row the number of fields and each field with its
// length, -1 for NULL; -1 as the number of fields ends it.
#include "postgres/apply/copy_rows.hpp"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "_kit/network_order.hpp"
#include "_kit/value_binary.hpp"

namespace fanout::postgres {
namespace {

using namespace std::string_view_literals;

// Below this an array insert in the pipeline is as fast and needs no round trip of its own.
constexpr std::size_t kCopyRowsMin = 2000;
constexpr std::size_t kRowsPerPause = 1000;
constexpr std::string_view kHeader = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"sv;
constexpr std::uint32_t kNullLength = 0xFFFFFFFF;
constexpr std::uint16_t kEnd = 0xFFFF;

void append_row(std::string& out, const TablePlan& plan, std::uint16_t fields,
                const PlannedRow& row) {
    kit::append_network(out, fields);
    for (const PlanColumn& column : plan.columns) {
        if (!column.writable) continue;
        const fanout_value& value = row.new_image[column.source];
        const std::size_t start = out.size();
        kit::append_network(out, kNullLength);
        if (value.state != FANOUT_PRESENT) continue;
        try {
            kit::append_binary(out, column.form.column, value);
        } catch (const std::invalid_argument& bad) {
            throw connector::ConnectorError(FANOUT_REJECT, "table " + plan.name + ": " + bad.what(),
                                            {}, row.at);
        }
        kit::put_network32(out, start, static_cast<std::uint32_t>(out.size() - start - 4));
    }
}

}  // namespace

std::string copy_sql(const TablePlan& plan) {
    std::string names;
    for (const PlanColumn& column : plan.columns)
        if (column.writable) names += (names.empty() ? "" : ", ") + column.quoted;
    return "COPY " + plan.insert_reference + " (" + names + ") FROM STDIN (FORMAT binary)";
}

bool worth_copying(const Step& step, std::size_t changes) {
    return step.plan != nullptr && step.kind == StepKind::insert &&
           step.rows.size() >= kCopyRowsMin && step.rows.size() >= changes / 2 &&
           std::any_of(step.plan->columns.begin(), step.plan->columns.end(),
                       [](const PlanColumn& column) { return column.writable; }) &&
           std::all_of(step.plan->columns.begin(), step.plan->columns.end(),
                       [](const PlanColumn& column) { return column.form.binary; });
}

std::string copy_data(const Step& step, const std::function<void()>& pause) {
    const TablePlan& plan = *step.plan;
    const auto fields = static_cast<std::uint16_t>(
        std::count_if(plan.columns.begin(), plan.columns.end(),
                      [](const PlanColumn& column) { return column.writable; }));
    std::string data(kHeader);
    std::size_t rows = 0;
    for (const PlannedRow& row : step.rows) {
        append_row(data, plan, fields, row);
        if (++rows % kRowsPerPause != 0) continue;
        if (rows == kRowsPerPause)
            data.reserve(data.size() / rows * (step.rows.size() + 1) * 9 / 8);
        pause();
    }
    kit::append_network(data, kEnd);
    return data;
}

}  // namespace fanout::postgres
