// The part of Delivery that takes schema changes, and where sequences stand: a barrier in the midst
// of their transaction.
//
// Whatever came before is with the connector before the change is, in a write of its own, and what
// comes behind it in a later one; all of it is one transaction of the target, or none of it.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "fanout/base/lsn_text.hpp"
#include "sidecar/lane/delivery.hpp"
#include "sidecar/lane/row_decoder.hpp"
#include "sidecar/lane/sql_literal.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::lane {
namespace {

constexpr std::size_t kShownStatementMax = 400;

std::string text_of(fanout_text text) {
    return {text.data, text.size};
}

std::string shown_statement(const fanout_ddl& ddl) {
    std::string text = text_of(ddl.statement).substr(0, kShownStatementMax);
    if (ddl.statement.size > kShownStatementMax) text += " ...";
    return text;
}

bool is_for_target(std::uint8_t kind, OnDdl on_ddl) {
    return concerns_target(kind) || (on_ddl == OnDdl::apply && is_made_in_passing(kind));
}

/// While rows of a table are copied they may be ahead of the stream, and a unique index in their
/// way: the copy makes the indexes that the table has when they are there.
bool has_its_rows(const backfill::Copier& copier, Oid32 table) {
    const auto reports = copier.reports();
    const auto copy = std::ranges::find_if(
        reports, [table](const auto& report) { return report.request.table == table; });
    return copy == reports.end() || copy->state == "indexing" || copy->state == "complete" ||
           copy->state == "cancelled";
}

/// What a connector is told of an index: also whose tables get it. Empty: no target's.
std::string index_for_target(fanout_text told, const backfill::PlanBox& plan) {
    using backfill::CreateIndexes;
    std::uint64_t version = 0;
    const CreateIndexes whose = plan.get(version).options.create_indexes;
    auto object = nlohmann::json::parse(told.data, told.data + told.size, nullptr, false);
    if (whose == CreateIndexes::never || !object.is_object() || !object.contains("using"))
        return "";
    object["own_tables_only"] = whose == CreateIndexes::own_tables;
    return object.dump();
}

Ending unreadable(const Status& status) {
    return {Ending::Kind::trouble, LaneState::failed, status.text(),
            "the journal on disk was changed, or worker and fanoutd are of different versions", 0};
}

}  // namespace

Delivery::Trouble Delivery::take_ddl(const wire::RecordView& record) {
    DdlRecord change;
    if (auto decoded = decode_ddl(record, tables_, change); !decoded.is_ok())
        return unreadable(decoded);
    if (!batch_.in_transaction())
        return unreadable(Status::corruption("the schema change at " + lsn_text(record.header.lsn) +
                                             " belongs to no transaction"));
    if (!change.wanted) return std::nullopt;
    if (auto trouble = copies_before_ddl(record, change.ddl)) return trouble;
    if (!is_for_target(change.ddl.kind, settings_.on_ddl)) return std::nullopt;
    std::string index;
    if (change.ddl.kind == FANOUT_DDL_CREATE_INDEX) {
        index = index_for_target(change.ddl.after, plan_);
        if (index.empty() || !connector_.creates_indexes()) return std::nullopt;
        if (copier_ && !has_its_rows(*copier_, change.ddl.oid)) return std::nullopt;
        change.ddl.after = {index.data(), index.size()};
    }
    if (is_parked(record)) return park(record, nullptr);
    // Whoever changes the target by other means has seen to its old rows as well.
    if (change.ddl.kind == FANOUT_DDL_REWRITE &&
        (settings_.on_ddl == OnDdl::apply || change.first_rows))
        rewritten_.insert(change.ddl.oid);
    switch (settings_.on_ddl) {
        case OnDdl::ignore:
            return std::nullopt;
        case OnDdl::hold:
            return hold_before(change.ddl);
        case OnDdl::apply:
            break;
    }
    return write_ddl(record, change.ddl);
}

Delivery::Trouble Delivery::hold_before(const fanout_ddl& ddl) {
    if (open_commit_lsn_ <= settings_.skip_lsn) return std::nullopt;
    const std::string what = "held before a schema change of " + text_of(ddl.schema) + "." +
                             text_of(ddl.name) + ": " + shown_statement(ddl);
    if (auto trouble = deliver_durably()) return trouble;
    return stop_before(what, "change the target, then SELECT fanout.skip(" +
                                 sql_literal(settings_.name) +
                                 "); goes on behind the schema changes of this transaction");
}

/// Chunks that do not know the change land before it, whoever makes it at the target. Rows that a
/// copy is yet to remove, and to which no change is applied any more, are not in its way: they may
/// not fit.
Delivery::Trouble Delivery::copies_before_ddl(const wire::RecordView& record,
                                              const fanout_ddl& ddl) {
    if (!copier_) return std::nullopt;
    record_in_use_ = true;
    auto trouble = close_copy_windows(ddl.oid);
    const bool stale = !trouble && copier_->schema_changes(ddl.oid);
    if (stale && settings_.on_ddl == OnDdl::apply && concerns_target(ddl.kind)) {
        fanout_ddl forget = ddl;
        forget.kind = FANOUT_DDL_REWRITE;
        trouble = write_ddl(record, forget);
    }
    record_in_use_ = false;
    return trouble;
}

/// What is in hand goes to the connector, whose tables are then as they were before this record.
Delivery::Trouble Delivery::write_before_this() {
    const bool was = std::exchange(record_in_use_, true);
    auto trouble = deliver();
    if (!trouble) trouble = close_copy_windows();
    if (!trouble && batch_.rows() != 0) trouble = write(batch_.take_open_part());
    record_in_use_ = was;
    return trouble;
}

Delivery::Trouble Delivery::write_in_its_place(const wire::RecordView& record,
                                               const fanout_change& change) {
    batch_.add(change, record.whole.size(), reader_.records());
    return write(batch_.take_open_part());
}

Delivery::Trouble Delivery::write_ddl(const wire::RecordView& record, const fanout_ddl& ddl) {
    if (auto trouble = write_before_this()) return trouble;
    log::info("schema change goes to the target", {{"subscription", settings_.name},
                                                   {"table", text_of(ddl.name)},
                                                   {"at", lsn_text(open_commit_lsn_)},
                                                   {"statement", shown_statement(ddl)}});
    auto* kept = batch_.arena().make<fanout_ddl>(1);
    *kept = ddl;
    if (ddl.kind == FANOUT_DDL_CREATE_INDEX) {  // not the record's
        char* after = batch_.arena().make<char>(ddl.after.size);
        std::copy_n(ddl.after.data, ddl.after.size, after);
        kept->after = {after, ddl.after.size};
    }
    fanout_change change{};
    change.op = FANOUT_DDL;
    change.index = record.header.index;
    change.ddl = kept;
    return write_in_its_place(record, change);
}

Delivery::Trouble Delivery::take_sequence(const wire::RecordView& record) {
    std::uint32_t subscription = 0;
    fanout_sequence sequence{};
    if (auto decoded = decode_sequence(record, subscription, sequence); !decoded.is_ok())
        return unreadable(decoded);
    if (subscription != settings_.subscription || !connector_.sets_sequences() ||
        !batch_.in_transaction())
        return std::nullopt;
    if (is_parked(record)) return park(record, nullptr);
    if (auto trouble = write_before_this()) return trouble;
    auto* kept = batch_.arena().make<fanout_sequence>(1);
    *kept = sequence;
    fanout_change change{};
    change.op = FANOUT_SEQUENCE;
    change.index = record.header.index;
    change.sequence = kept;
    return write_in_its_place(record, change);
}

Delivery::Trouble Delivery::take_rewritten(const wire::RecordView& record) {
    if (!rewritten_.contains(row_table(record).oid)) return std::nullopt;
    return take_row(record);
}

}  // namespace fanout::lane
