// See delivery.hpp. This file moves batches and cursors; delivery_records.cpp takes records in.
#include "sidecar/lane/delivery.hpp"

#include <algorithm>

#include "fanout/base/fault_point.hpp"
#include "fanout/base/lsn_text.hpp"
#include "sidecar/drain/config_message.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::lane {
namespace {

using namespace std::chrono_literals;

/// A cursor that only moved because others' tables were written is made durable this often, so
/// that the journal behind it can go.
constexpr Lsn kIdleAdvanceBytes = 16ULL << 20;
/// And this often it is worth a report nobody asked for.
constexpr Lsn kIdleReportBytes = 1ULL << 20;
/// Shortest time between two writes of the local cursor file.
constexpr auto kCursorSaveInterval = 1s;
constexpr auto kIdleWait = 1h;

}  // namespace

Delivery::Delivery(const DeliveryParts& parts, host::ConnectorGuard& connector)
    : settings_(parts.settings),
      journal_(parts.journal),
      reader_(parts.reader),
      cursors_(parts.cursors),
      tables_(parts.tables),
      outbox_(parts.outbox),
      stop_requested_(parts.stop_requested),
      epoch_(parts.epoch),
      standpoint_(parts.standpoint),
      connector_(connector) {}

Ending Delivery::run() {
    if (auto trouble = open()) return *trouble;
    while (!stop_requested_)
        if (auto trouble = read_on()) return *trouble;
    return leave();
}

Delivery::Trouble Delivery::open() {
    const fanout_session session{settings_.name.c_str(), settings_.stream_identity.c_str(), epoch_,
                                 settings_.create_tables ? 1 : 0};
    fanout_cursor cursor{};
    if (auto outcome = connector_.open(session, cursor); !outcome.ok())
        return failed_call("open", outcome);
    if (!connector_.keeps_cursor()) {
        auto stored = cursors_.load();
        if (!stored.is_ok())
            return Ending{Ending::Kind::trouble, LaneState::failed, stored.status().text(), "", 0};
        cursor = standpoint_ ? standpoint_->flushed : stored.value().cursor;
    }
    FANOUT_FAULT_HERE("lane.opened");
    if (auto trouble = rewound(cursor)) return trouble;
    if (go_on_from(cursor)) return std::nullopt;
    tables_.clear();
    Lsn from = resume_lsn(cursor, settings_.start_lsn);
    bool found = reader_.seek(from);
    if (!found && cursor.end_lsn == 0) {
        if (const Lsn created = find_creation(); created != 0) from = created + 1;
        found = reader_.seek(from);
    }
    passed_ = durable_ = flushed_ = settled_ = cursor;
    posted_lsn_ = cursor.end_lsn;
    journal_.want(settings_.subscription, from);
    if (!found) {
        return Ending{Ending::Kind::trouble, LaneState::needs_resync, reader_.status().text(),
                      "the changes between are no longer kept: synchronise the target anew, then "
                      "drop and create the subscription",
                      0};
    }
    log::info("lane at its target", {{"subscription", settings_.name},
                                     {"connector", connector_.name()},
                                     {"cursor", lsn_text(cursor.commit_lsn)},
                                     {"from", lsn_text(from)}});
    outbox_.update([&](LaneSnapshot& board) {
        board.state = LaneState::streaming;
        board.cursor = cursor;
    });
    outbox_.post(LaneEvent::state);
    return std::nullopt;
}

/// A target cannot have what its source has never written: then the source is an older copy, or
/// another copy of it writes here, too.
Delivery::Trouble Delivery::rewound(const fanout_cursor& cursor) const {
    const Lsn known = std::max(settings_.source_end, journal_.end_lsn());
    if (settings_.source_end == 0 || cursor.commit_lsn <= known) return std::nullopt;
    return Ending{Ending::Kind::trouble, LaneState::failed,
                  "source_rewound: the target has changes up to " + lsn_text(cursor.commit_lsn) +
                      ", the source only goes up to " + lsn_text(known),
                  "the source was restored to an earlier point, or is a copy of the one that "
                  "writes to this target: synchronise the target anew, then drop and create the "
                  "subscription",
                  0};
}

/// The commit that made this subscription, if the journal has it; 0 if not. The catalog only knows
/// a position before that commit, and the journal may begin between the two: it is pinned from the
/// commit on, but who was killed before the lane's first start has forgotten where that was.
Lsn Delivery::find_creation() {
    if (!reader_.seek(journal_.first_lsn())) return 0;
    wire::RecordView record;
    Lsn created = 0;
    while (!stop_requested_ && reader_.next(record) == journal::ReadOutcome::record) {
        if (record.kind() != wire::Kind::message) continue;
        const auto news = drain::read_config_message(record);
        if (news && news->subscription == settings_.subscription)
            created = news->added ? news->commit_lsn : 0;
    }
    return created;
}

/// True if the target is where the delivery before this one left it: nothing has to be read again.
bool Delivery::go_on_from(const fanout_cursor& cursor) {
    if (!standpoint_ || cursor.commit_lsn != standpoint_->flushed.commit_lsn) return false;
    tables_.forget_rows_in_hand();
    reader_.release();
    durable_ = flushed_ = cursor;
    passed_ = settled_ = standpoint_->passed;
    posted_lsn_ = passed_.end_lsn;
    log::info("lane goes on behind a void transaction",
              {{"subscription", settings_.name}, {"from", lsn_text(passed_.end_lsn)}});
    return true;
}

Delivery::Trouble Delivery::read_on() {
    wire::RecordView record;
    switch (reader_.next(record)) {
        case journal::ReadOutcome::record:
            if (auto trouble = take(record)) return trouble;
            return over_limits() ? relieve() : std::nullopt;
        case journal::ReadOutcome::at_end:
            if (auto trouble = settle()) return trouble;
            wait_for_data();
            return save_cursor_if_due();
        case journal::ReadOutcome::trimmed:
            if (auto trouble = deliver()) return trouble;
            return Ending{Ending::Kind::trouble, LaneState::needs_resync, reader_.status().text(),
                          "the journal's limit let this subscription go: synchronise the target "
                          "anew, then drop and create the subscription",
                          0};
        case journal::ReadOutcome::failed:
            break;
    }
    const bool damaged = reader_.status().kind() == StatusKind::corruption;
    return Ending{Ending::Kind::trouble, damaged ? LaneState::failed : LaneState::retrying,
                  reader_.status().text(),
                  damaged ? "the journal on disk was changed or its device is failing" : "", 0};
}

bool Delivery::over_limits() const {
    return batch_.rows() >= settings_.limits.batch_rows_max ||
           batch_.bytes() >= settings_.limits.batch_bytes_max;
}

/// Complete transactions go out first; only what is still too large then goes out unfinished.
Delivery::Trouble Delivery::relieve() {
    if (auto trouble = deliver()) return trouble;
    if (!over_limits() || !batch_.in_transaction()) return std::nullopt;
    if (auto trouble = write(batch_.open_batch())) return trouble;
    FANOUT_FAULT_HERE("lane.part_written");
    batch_.release_open_part();
    release_if_empty();
    return std::nullopt;
}

Delivery::Trouble Delivery::deliver() {
    if (!batch_.has_complete()) return std::nullopt;
    const auto view = batch_.complete_batch();
    FANOUT_FAULT_HERE("lane.batch_ready");
    if (auto trouble = write(view)) return trouble;
    for (std::size_t i = 0; i < view.transaction_count; ++i)
        transactions_written_ += view.transactions[i].ends;
    FANOUT_FAULT_HERE("lane.batch_written");
    if (auto trouble = flush()) return trouble;
    batch_.release_complete();
    release_if_empty();
    return std::nullopt;
}

Delivery::Trouble Delivery::write(const fanout_batch& batch) {
    if (waiting_) publish(false);
    if (auto outcome = connector_.write(batch); !outcome.ok()) return failed_call("write", outcome);
    Oid32 last = 0;
    TableCount* count = nullptr;
    for (std::size_t t = 0; t < batch.transaction_count; ++t) {
        const auto& transaction = batch.transactions[t];
        for (std::size_t i = 0; i < transaction.change_count; ++i) {
            const auto* table = transaction.changes[i].table;
            if (table == nullptr) continue;  // truncate, message
            if (count == nullptr || table->oid != last) {
                last = table->oid;
                count = &tables_.counts()[last];
            }
            ++count->rows_in_hand;
            ++rows_written_;
        }
    }
    return std::nullopt;
}

/// Everything written becomes durable; the cursor is the last complete transaction's.
Delivery::Trouble Delivery::flush() {
    if (auto outcome = connector_.flush(passed_); !outcome.ok())
        return failed_call("flush", outcome);
    FANOUT_FAULT_HERE("lane.flushed");
    progressed_ = true;
    flushed_ = settled_ = passed_;
    rows_in_hand_ -= rows_written_;
    outbox_.update([&](LaneSnapshot& board) {
        board.rows_delivered += rows_written_;
        board.transactions += transactions_written_;
        board.tables.clear();
        for (auto& [oid, count] : tables_.counts()) {
            count.rows_delivered += count.rows_in_hand;
            count.rows_in_hand = 0;
            if (count.rows_delivered != 0) board.tables.push_back(count);
        }
    });
    rows_written_ = transactions_written_ = 0;
    if (connector_.keeps_cursor()) {
        durable_ = flushed_;
        journal_.want(settings_.subscription, resume_lsn(durable_, settings_.start_lsn));
    }
    publish(false);
    return std::nullopt;
}

/// The journal has nothing more at the moment: everything complete goes out.
Delivery::Trouble Delivery::settle() {
    if (auto trouble = deliver()) return trouble;
    const bool half_written = batch_.open_part_written();
    if (!half_written && passed_.end_lsn - durable_.end_lsn >= kIdleAdvanceBytes) {
        if (auto trouble = flush()) return trouble;
        if (auto trouble = save_cursor()) return trouble;
    }
    if (!waiting_ || passed_.end_lsn != posted_lsn_) publish(true);
    return save_cursor_if_due();
}

/// Brings the board up to date and tells the reporter if it is worth a report.
void Delivery::publish(bool waiting) {
    const bool turned = waiting != waiting_;
    waiting_ = waiting;
    if (!batch_.has_complete()) settled_ = passed_;
    outbox_.update([&](LaneSnapshot& board) {
        board.cursor = settled_;
        board.waiting = waiting;
        board.caught_up = waiting && !batch_.in_transaction();
        board.rows_read = board.rows_delivered + board.rows_filtered + rows_in_hand_;
    });
    const bool moved_far = passed_.end_lsn - posted_lsn_ >= kIdleReportBytes;
    if (!turned && !moved_far) return;
    posted_lsn_ = passed_.end_lsn;
    outbox_.post(LaneEvent::progress);
}

Delivery::Trouble Delivery::save_cursor_if_due() {
    if (connector_.keeps_cursor() || flushed_.end_lsn == durable_.end_lsn) return std::nullopt;
    if (std::chrono::steady_clock::now() - saved_at_ < kCursorSaveInterval) return std::nullopt;
    return save_cursor();
}

/// The cursor itself, or for a target that keeps its own a hint for the journal's retention.
Delivery::Trouble Delivery::save_cursor() {
    const auto board = outbox_.snapshot();
    FANOUT_FAULT_HERE("lane.cursor_unsaved");
    const auto saved = cursors_.save(
        {settings_.start_lsn, flushed_, board.rows_read - rows_in_hand_, board.rows_delivered,
         board.rows_filtered, board.transactions, board.filtered_up_to});
    saved_at_ = std::chrono::steady_clock::now();
    FANOUT_FAULT_HERE("lane.cursor_saved");
    if (connector_.keeps_cursor()) {
        if (!saved.is_ok())
            log::warning("cursor hint not saved",
                         {{"subscription", settings_.name}, {"error", saved.text()}});
        return std::nullopt;
    }
    if (!saved.is_ok())
        return Ending{Ending::Kind::trouble, LaneState::retrying, saved.text(), "", 0};
    durable_ = flushed_;
    journal_.want(settings_.subscription, resume_lsn(durable_, settings_.start_lsn));
    return std::nullopt;
}

/// A lane that was at the journal's end goes to its very end, so that the target's cursor then
/// stands where the slot does; any other leaves at once.
Delivery::Trouble Delivery::read_rest() {
    constexpr int kRecordsMax = 10'000;
    wire::RecordView record;
    for (int i = 0; waiting_ && i < kRecordsMax && !over_limits(); ++i) {
        if (reader_.next(record) != journal::ReadOutcome::record) break;
        if (auto trouble = take(record)) return trouble;
    }
    return std::nullopt;
}

/// Asked to stop: what is complete goes out, what is open comes again next time.
Ending Delivery::leave() {
    FANOUT_FAULT_HERE("lane.leaving");
    if (auto trouble = read_rest()) return *trouble;
    if (batch_.open_part_written()) return {};
    if (auto trouble = deliver()) return *trouble;
    if (passed_.end_lsn != flushed_.end_lsn) static_cast<void>(flush());
    if (auto trouble = save_cursor()) return *trouble;
    return {};
}

void Delivery::wait_for_data() {
    const bool unsaved = !connector_.keeps_cursor() && flushed_.end_lsn != durable_.end_lsn;
    if (!unsaved) {
        reader_.wait(std::chrono::duration_cast<std::chrono::milliseconds>(kIdleWait));
        return;
    }
    const auto due = saved_at_ + kCursorSaveInterval - std::chrono::steady_clock::now();
    reader_.wait(std::max(std::chrono::ceil<std::chrono::milliseconds>(due), 1ms));
}

void Delivery::release_if_empty() {
    if (!batch_.empty()) return;
    reader_.release();
    tables_.forget_replaced();
}

Ending Delivery::failed_call(const char* call, const host::Outcome& outcome) const {
    Ending ending{Ending::Kind::trouble, state_after(outcome.code), outcome.message, outcome.hint,
                  0};
    if (outcome.code == FANOUT_REJECT) {
        ending.message += " (change at " + lsn_text(outcome.at.commit_lsn) + ", index " +
                          std::to_string(outcome.at.index) + ")";
        if (ending.hint.empty())
            ending.hint = "mend the target or the row's table, then resume the subscription";
    }
    if (outcome.code == FANOUT_FENCED && ending.hint.empty())
        ending.hint = "another fanoutd delivers this subscription: stop one of the two";
    log::debug("connector call failed", {{"subscription", settings_.name},
                                         {"call", call},
                                         {"outcome", static_cast<int>(outcome.code)},
                                         {"error", outcome.message}});
    return ending;
}

}  // namespace fanout::lane
