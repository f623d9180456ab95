// The part of Delivery that takes records in: what each kind does to the batch and the cursor.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "fanout/base/fault_point.hpp"
#include "fanout/base/lsn_text.hpp"
#include "sidecar/lane/delivery.hpp"
#include "sidecar/lane/row_decoder.hpp"
#include "sidecar/lane/sql_literal.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::lane {
namespace {

/// Messages of ours are for the worker and the drain, never for a target.
constexpr std::string_view kOwnPrefix = "pg_fanout.";

Ending unreadable(const Status& status) {
    return {Ending::Kind::trouble, LaneState::failed, status.text(),
            "the journal on disk was changed, or worker and fanoutd are of different versions", 0};
}

bool is_chosen(const std::vector<std::string>& patterns, std::string_view prefix) {
    if (prefix.starts_with(kOwnPrefix)) return false;
    return std::ranges::any_of(patterns, [&](std::string_view pattern) {
        if (!pattern.ends_with('*')) return prefix == pattern;
        return prefix.starts_with(pattern.substr(0, pattern.size() - 1));
    });
}

template <typename Body>
bool read_body(const wire::RecordView& record, Body& out) {
    if (record.body.size() < sizeof out) return false;
    std::memcpy(&out, record.body.data(), sizeof out);
    return true;
}

Ending short_body(const wire::RecordView& record) {
    return unreadable(Status::corruption("the record of kind " +
                                         std::to_string(record.header.kind) + " at " +
                                         lsn_text(record.header.lsn) + " is too short"));
}

}  // namespace

Delivery::Trouble Delivery::take(const wire::RecordView& record) {
    switch (record.kind()) {
        case wire::Kind::insert:
        case wire::Kind::update:
        case wire::Kind::remove:
            return take_row(record);
        case wire::Kind::begin:
            return take_begin(record);
        case wire::Kind::commit:
            return take_commit(record);
        case wire::Kind::abort:
            return take_abort();
        case wire::Kind::relation:
            return take_relation(record);
        case wire::Kind::truncate:
            return take_truncate(record);
        case wire::Kind::message:
            return take_message(record);
        case wire::Kind::keepalive:
            return take_keepalive(record);
        case wire::Kind::filtered:
            return take_filtered(record);
        case wire::Kind::unjudged:
            return take_unjudged(record);
        case wire::Kind::ddl:
            return take_ddl(record);
        case wire::Kind::rewritten:
            return take_rewritten(record);
        case wire::Kind::sequence:
            return take_sequence(record);
        default:
            return std::nullopt;  // a kind this version may skip
    }
}

Delivery::Trouble Delivery::take_begin(const wire::RecordView& record) {
    wire::BeginBody body;
    if (!read_body(record, body)) return short_body(record);
    // An open transaction that never ended is void; it comes again whole.
    if (batch_.in_transaction())
        if (auto trouble = take_abort()) return trouble;
    open_commit_lsn_ = record.header.lsn;
    open_end_lsn_ = body.end_lsn;
    open_commit_time_ = body.commit_time;
    open_xid_ = body.xid;
    rewritten_.clear();
    batch_.begin(open_commit_lsn_, body.end_lsn, body.commit_time, body.xid);
    return std::nullopt;
}

Delivery::Trouble Delivery::take_commit(const wire::RecordView& record) {
    if (!batch_.in_transaction() || record.header.lsn != open_commit_lsn_)
        return unreadable(Status::corruption("the commit at " + lsn_text(record.header.lsn) +
                                             " has no begin in the journal"));
    FANOUT_FAULT_HERE("lane.transaction_decoded");
    batch_.commit();
    passed_ = {open_commit_lsn_, open_end_lsn_, open_commit_time_};
    return std::nullopt;
}

Delivery::Trouble Delivery::take_abort() {
    if (copier_) copier_->transaction_is_void();
    if (!batch_.open_part_written()) {
        rows_in_hand_ -= batch_.open_rows();
        batch_.drop_open();
        release_memory();
        return std::nullopt;
    }
    // The next delivery has to know what the target has.
    if (auto trouble = settle(FANOUT_SETTLE_WRITTEN)) return trouble;
    return Ending{Ending::Kind::reopen, LaneState::streaming, "", "", 0};
}

Delivery::Trouble Delivery::take_relation(const wire::RecordView& record) {
    auto table = tables_.take(record);
    if (!table.is_ok()) return unreadable(table.status());
    if (copier_ && is_wanted(*table.value())) copier_->met(table.value()->table);
    if (batch_.in_transaction()) return denied(*table.value());
    return std::nullopt;
}

/// Nothing if the owner may read `table`, or if the table is not its business.
Delivery::Trouble Delivery::denied(const CachedTable& table) {
    if (!table.denied) return std::nullopt;
    const auto permitted = settings_.permitted_until.find(table.table.oid);
    if (!table.refusal.empty()) return refused(table);
    const bool by_now =
        permitted != settings_.permitted_until.end() && open_commit_lsn_ < permitted->second;
    const std::string name = table.full_name();
    if (by_now) {
        if (!table.wanted_by_any)
            log::warning("changes made while the table could not be read are not delivered",
                         {{"subscription", settings_.name},
                          {"table", name},
                          {"around", lsn_text(open_commit_lsn_)}});
        return std::nullopt;
    }
    if (auto trouble = deliver_durably()) return trouble;
    return Ending{
        Ending::Kind::trouble, LaneState::denied,
        "role " + settings_.owner + ", who owns the subscription, may not read " + name,
        "GRANT SELECT ON " + name + " TO " + settings_.owner + ", then resume the subscription",
        table.table.oid};
}

/// What the subscription asks for cannot be had of the table as it is now.
Delivery::Trouble Delivery::refused(const CachedTable& table) {
    if (open_commit_lsn_ <= settings_.skip_lsn) return std::nullopt;
    if (auto trouble = deliver_durably()) return trouble;
    return stop_before("changes of " + table.full_name() + " cannot be carried: " + table.refusal,
                       "make the table and the subscription fit again; SELECT fanout.skip(" +
                           sql_literal(settings_.name) +
                           ") goes on without the changes in between");
}

/// The lane stops here, and a person decides.
Ending Delivery::stop_before(std::string message, std::string hint) const {
    Ending ending{Ending::Kind::trouble, LaneState::failed, std::move(message), std::move(hint), 0};
    ending.stopped_lsn = open_commit_lsn_;
    return ending;
}

bool Delivery::is_wanted(const CachedTable& table) const {
    // A denied table that got this far is permitted by now.
    return table.wanted || table.denied;
}

Delivery::Trouble Delivery::take_row(const wire::RecordView& record) {
    const RowTable row = row_table(record);
    const CachedTable* table = tables_.find(row.oid, row.version);
    if (table == nullptr || !batch_.in_transaction())
        return unreadable(
            Status::corruption("the change at " + lsn_text(record.header.lsn) + ", index " +
                               std::to_string(record.header.index) + ", belongs to " +
                               (table == nullptr ? "table " + std::to_string(row.oid) +
                                                       ", which the journal never "
                                                       "names in that version"
                                                 : std::string("no transaction"))));
    if (auto trouble = denied(*table)) return trouble;
    if (!is_wanted(*table)) return std::nullopt;
    if (is_parked(record)) return park(record, table);
    fanout_change change;
    std::uint64_t window = 0;  // that has to land first
    do {
        if (auto decoded = decode_row(record, *table, batch_.arena(), change); !decoded.is_ok())
            return unreadable(decoded);
        if (letters_.any_waits())
            if (auto trouble = supersede(change, {record.header.lsn, record.header.index}))
                return trouble;
        window = 0;
        if (copier_ && copier_->judges()) {
            window = take_row_of_copy(change, record.whole.size());
        } else {
            add_row(change, record.whole.size());
        }
        if (window != 0)
            if (auto trouble = land_before_this(window)) return trouble;
    } while (window != 0);
    return std::nullopt;
}

Delivery::Trouble Delivery::take_truncate(const wire::RecordView& record) {
    if (is_parked(record)) return park(record, nullptr);
    fanout_change change;
    const CachedTable* denied_table = nullptr;
    std::uint64_t window = 0;  // that has to land first
    do {
        auto decoded = decode_truncate(record, tables_, batch_.arena(), change, &denied_table);
        if (!decoded.is_ok()) return unreadable(decoded);
        if (denied_table != nullptr)
            if (auto trouble = denied(*denied_table)) return trouble;
        if (auto trouble = supersede(change, {record.header.lsn, record.header.index}))
            return trouble;
        window = 0;
        if (copier_ && !copier_->idle()) window = judge_truncate(change);
        if (window != 0)
            if (auto trouble = land_before_this(window)) return trouble;
    } while (window != 0);
    if (change.table_count != 0) batch_.add(change, record.whole.size(), reader_.records());
    return std::nullopt;
}

Delivery::Trouble Delivery::take_message(const wire::RecordView& record) {
    fanout_change change;
    if (auto decoded = decode_message(record, change); !decoded.is_ok()) return unreadable(decoded);
    const bool in_transaction = (record.header.flags & wire::kFlagTransactional) != 0;
    const bool wanted = connector_.wants_messages() &&
                        is_chosen(settings_.messages, {change.prefix.data, change.prefix.size});
    if (in_transaction) {
        if (wanted && is_parked(record)) return park(record, nullptr);
        if (wanted) batch_.add(change, record.whole.size(), reader_.records());
        return std::nullopt;
    }
    const Lsn behind = record.header.lsn + 1;
    if (wanted) {
        batch_.begin(record.header.lsn, behind, passed_.commit_time, 0);
        batch_.add(change, record.whole.size(), reader_.records());
        batch_.commit();
        passed_.commit_lsn = record.header.lsn;
    }
    passed_.end_lsn = std::max(passed_.end_lsn, behind);
    return std::nullopt;
}

Delivery::Trouble Delivery::take_filtered(const wire::RecordView& record) {
    std::uint64_t rows = 0;
    if (auto decoded = decode_filtered(record, tables_, rows); !decoded.is_ok())
        return unreadable(decoded);
    // A lane that goes back to an older cursor passes the same transaction again.
    if (rows == 0) return std::nullopt;
    outbox_.update([&](LaneSnapshot& board) {
        if (board.filtered_up_to >= record.header.lsn) return;
        board.filtered_up_to = record.header.lsn;
        board.rows_filtered += rows;
        board.rows_read += rows;
    });
    return std::nullopt;
}

Delivery::Trouble Delivery::take_unjudged(const wire::RecordView& record) {
    const RowTable row = row_table(record);
    const CachedTable* table = tables_.find(row.oid, row.version);
    if (table == nullptr || !table->wanted) return std::nullopt;
    UnjudgedRow unjudged;
    if (auto decoded = decode_unjudged(record, unjudged); !decoded.is_ok())
        return unreadable(decoded);
    const bool no_values = (record.header.flags & wire::kFlagUnreadable) != 0;
    const std::string row_text = "the row " + std::string(unjudged.key);
    const std::string what =
        no_values ? row_text + " of " + table->full_name() +
                        " cannot be read at the source: " + std::string(unjudged.error)
                  : "the predicate on " + table->full_name() + " could not be evaluated for " +
                        row_text + ": " + std::string(unjudged.error);
    if (is_parked(record) || (no_values && settings_.park_rejected))
        return park_unreadable(record, *table, what);
    if (open_commit_lsn_ <= settings_.skip_lsn) {
        log::warning("row left out", {{"subscription", settings_.name}, {"reason", what}});
        return std::nullopt;
    }
    if (auto trouble = deliver_durably()) return trouble;
    if (no_values)
        return stop_before(what, "SELECT fanout.skip(" + sql_literal(settings_.name) + ", '" +
                                     lsn_text(record.header.lsn) + "', " +
                                     std::to_string(record.header.index) + "); goes on without it");
    return stop_before(what, "SELECT fanout.skip(" + sql_literal(settings_.name) +
                                 ") goes on without such rows of this transaction");
}

Delivery::Trouble Delivery::take_keepalive(const wire::RecordView& record) {
    passed_.end_lsn = std::max(passed_.end_lsn, record.header.lsn);
    if ((record.header.flags & wire::kFlagReportRequested) == 0) return std::nullopt;
    if (auto trouble = deliver_durably()) return trouble;
    publish(waiting_);
    outbox_.post(LaneEvent::requested);
    return std::nullopt;
}

}  // namespace fanout::lane
