// The binary COPY format: a signature, then per row the number of fields and each field with its
// length, -1 for NULL; -1 as the number of fields ends it.
#include "postgres/apply/copy_rows.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "_kit/network_order.hpp"
#include "_kit/value_binary.hpp"

namespace fanout::postgres {
namespace {

using namespace std::string_view_literals;

// Below this an array insert in the pipeline is as fast and needs no round trip of its own.
constexpr std::size_t kCopyRowsMin = 5000;
constexpr std::size_t kSendBytes = 128 * 1024;
constexpr std::string_view kHeader = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"sv;
constexpr std::uint32_t kNullLength = 0xFFFFFFFF;
constexpr std::uint16_t kEnd = 0xFFFF;

std::string copy_sql(const TablePlan& plan) {
    std::string names;
    for (const PlanColumn& column : plan.columns)
        if (column.writable) names += (names.empty() ? "" : ", ") + column.quoted;
    return "COPY " + plan.insert_reference + " (" + names + ") FROM STDIN (FORMAT binary)";
}

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

// libpq takes all or nothing; nothing means that the socket is full.
void put(Session& session, std::string& data) {
    for (;;) {
        const int taken =
            PQputCopyData(session.connection(), data.data(), static_cast<int>(data.size()));
        if (taken < 0) session.throw_lost("copying to the target");
        if (taken > 0) break;
        session.flush();
    }
    session.flush();
    data.clear();
}

void send_rows(Session& session, const Step& step) {
    const TablePlan& plan = *step.plan;
    const auto fields = static_cast<std::uint16_t>(
        std::count_if(plan.columns.begin(), plan.columns.end(),
                      [](const PlanColumn& column) { return column.writable; }));
    std::string data(kHeader);
    for (const PlannedRow& row : step.rows) {
        append_row(data, plan, fields, row);
        if (data.size() >= kSendBytes) put(session, data);
    }
    kit::append_network(data, kEnd);
    put(session, data);
    while (PQputCopyEnd(session.connection(), nullptr) == 0)
        session.flush();
    session.flush();
}

}  // namespace

bool worth_copying(const Step& step) {
    return step.plan != nullptr && step.kind == StepKind::insert &&
           step.rows.size() >= kCopyRowsMin &&
           std::all_of(step.plan->columns.begin(), step.plan->columns.end(),
                       [](const PlanColumn& column) { return column.form.binary; });
}

std::optional<PipelineFailure> copy_rows(Session& session, const Step& step, std::size_t tag) {
    if (PQsendQuery(session.connection(), copy_sql(*step.plan).c_str()) == 0)
        session.throw_lost("copying to the target");
    session.flush();
    ResultPtr result = session.next_result();
    if (PQresultStatus(result.get()) == PGRES_COPY_IN) {
        send_rows(session, step);
        result = session.next_result();
    }
    std::optional<PipelineFailure> failure;
    const auto expected = static_cast<std::int64_t>(step.rows.size());
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
        if (PQstatus(session.connection()) == CONNECTION_BAD)
            session.throw_lost("copying to the target");
        failure = PipelineFailure{tag, read_error(result.get()), 0, 0};
    } else if (const auto rows = std::strtoll(PQcmdTuples(result.get()), nullptr, 10);
               rows != expected) {
        failure = PipelineFailure{tag, std::nullopt, expected, rows};
    }
    while (session.next_result() != nullptr) {
    }
    return failure;
}

}  // namespace fanout::postgres
