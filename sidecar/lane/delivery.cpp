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
/// Such a connector is looked after this often while the lane reads.
constexpr std::uint64_t kRecordsBetweenMoves = 256;
/// At the journal's end: as long what comes next may catch up with what is under way. Whoever waits
/// for a position says so in the journal; for all others an answer may lie for a moment, and the
/// next transaction's wake-up takes it along: a wake-up less for each.
constexpr auto kLinger = 10ms;
/// As long while tables are copied: readers wait for the lane.
constexpr auto kLook = 200us;
/// News of copies are told so soon.
constexpr auto kCopiesNewsAfter = 500ms;
/// What was flushed and is not yet durable is waited for when nothing has come for so long.
constexpr auto kDurableAfter = 200ms;

}  // namespace

Delivery::Delivery(const DeliveryParts& parts, host::ConnectorGuard& connector)
    : settings_(parts.settings),
      journal_(parts.journal),
      reader_(parts.reader),
      cursors_(parts.cursors),
      tables_(parts.tables),
      outbox_(parts.outbox),
      parking_(parts.parking),
      letters_(parts.letters),
      stop_requested_(parts.stop_requested),
      epoch_(parts.epoch),
      standpoint_(parts.standpoint),
      connector_(connector),
      plan_(parts.plan) {}

Ending Delivery::run() {
    letters_.none_in_hand();
    if (auto trouble = open()) return *trouble;
    if (auto trouble = redrive_letters()) return *trouble;
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
    std::map<std::string, std::string> notes;
    if (!connector_.keeps_cursor() || !connector_.keeps_notes()) {
        auto stored = cursors_.load();
        if (!stored.is_ok())
            return Ending{Ending::Kind::trouble, LaneState::failed, stored.status().text(), "", 0};
        if (!connector_.keeps_cursor())
            cursor = standpoint_ ? standpoint_->flushed : stored.value().cursor;
        notes = stored.value().notes;
    }
    if (auto trouble = find_notes(notes)) return trouble;
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
    passed_ = durable_ = begun_ = flushed_ = settled_ = cursor;
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
    reader_.release();
    durable_ = begun_ = flushed_ = cursor;
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
            if (auto trouble = serve_copies()) return trouble;
            return over_limits() ? relieve() : move_on();
        case journal::ReadOutcome::at_end:
            if (auto trouble = serve_copies()) return trouble;
            return rest();
        case journal::ReadOutcome::trimmed:
            if (auto trouble = deliver_durably()) return trouble;
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
    if (auto trouble = close_copy_windows()) return trouble;
    if (auto trouble = write(batch_.take_open_part())) return trouble;
    FANOUT_FAULT_HERE("lane.part_written");
    return std::nullopt;
}

/// Nothing may land between the parts of a transaction. `table` 0: all of them.
Delivery::Trouble Delivery::close_copy_windows(Oid32 table) {
    if (!copier_ || batch_.open_part_written()) return std::nullopt;
    while (const auto window = copier_->any_open(table))
        if (auto trouble = land_window(*window)) return trouble;
    return std::nullopt;
}

Delivery::Trouble Delivery::deliver() {
    if (!batch_.has_complete()) return std::nullopt;
    FANOUT_FAULT_HERE("lane.batch_ready");
    if (auto trouble = write(batch_.take_complete())) return trouble;
    FANOUT_FAULT_HERE("lane.batch_written");
    if (auto trouble = flush()) return trouble;
    // Shapes that ended are kept for what points to them; without a pause that would be for ever.
    return tables_.has_replaced() ? settle(FANOUT_SETTLE_WRITTEN) : std::nullopt;
}

Delivery::Trouble Delivery::deliver_durably() {
    if (auto trouble = deliver()) return trouble;
    return settle(FANOUT_SETTLE_DURABLE);
}

Delivery::Trouble Delivery::write(Batch batch) {
    if (in_flight_.writes_pending() >= kWritesAheadMax) {
        // It is neither being built nor in flight: nobody else says what it points into.
        written_from_ = batch.first_record;
        auto trouble = settle(FANOUT_SETTLE_ONE);
        written_from_.reset();
        if (trouble) return trouble;
    }
    const fanout_batch view = in_flight_.keep(std::move(batch));
    // Not before it is kept: what is in nobody's hand counts as delivered.
    if (waiting_) publish(false);
    if (auto outcome = connector_.write(view); !outcome.ok()) return failed_call("write", outcome);
    if (!connector_.flushes_ahead()) take_progress({in_flight_.writes(), 0});
    return std::nullopt;
}

/// Everything written becomes durable; the cursor is the last complete transaction's.
Delivery::Trouble Delivery::flush() {
    if (auto trouble = put_notes()) return trouble;
    if (auto outcome = connector_.flush(passed_); !outcome.ok())
        return failed_call("flush", outcome);
    FANOUT_FAULT_HERE("lane.flushed");
    begun_ = passed_;
    in_flight_.flushed(begun_);
    if (!connector_.flushes_ahead()) take_progress({in_flight_.writes(), in_flight_.flushes()});
    return std::nullopt;
}

/// Waits for the connector as far as `until` says; nothing to wait for if it is never ahead.
Delivery::Trouble Delivery::settle(fanout_settle until) {
    if (!connector_.flushes_ahead() || in_flight_.empty()) return std::nullopt;
    fanout_progress progress{};
    if (auto outcome = connector_.settle(until, progress); !outcome.ok())
        return failed_call("settle", outcome);
    take_progress(progress);
    return std::nullopt;
}

/// Lets a connector that is ahead send and receive while the lane is busy reading.
Delivery::Trouble Delivery::move_on() {
    if (in_flight_.writes_pending() == 0 || ++records_since_move_ < kRecordsBetweenMoves)
        return std::nullopt;
    records_since_move_ = 0;
    return settle(FANOUT_SETTLE_NOTHING);
}

void Delivery::take_progress(const fanout_progress& progress) {
    in_flight_.release(progress.writes, [this](Batch batch) {
        if (batch.rows) spare_changes_ = std::move(batch.changes);
        batch_.recycle(std::move(batch));
    });
    release_memory();
    const Delivered delivered = in_flight_.take_durable(progress.flushes);
    if (!delivered.any) return;
    progressed_ = true;
    flushed_ = settled_ = delivered.cursor;
    count(delivered);
    if (connector_.keeps_cursor()) {
        durable_ = flushed_;
        journal_.want(settings_.subscription, resume_lsn(durable_, settings_.start_lsn));
    }
    publish(waiting_);
}

void Delivery::count(const Delivered& delivered) {
    rows_in_hand_ -= delivered.rows;
    for (const auto& [oid, rows] : delivered.table_rows)
        tables_.counts()[oid].rows_delivered += rows;
    outbox_.update([&](LaneSnapshot& board) {
        board.rows_delivered += delivered.rows;
        board.transactions += delivered.transactions;
        if (delivered.rows == 0) return;
        board.tables.clear();
        for (const auto& [oid, count] : tables_.counts())
            if (count.rows_delivered != 0) board.tables.push_back(count);
    });
}

/// The journal has nothing more at the moment: everything complete goes out.
Delivery::Trouble Delivery::rest() {
    if (auto trouble = deliver()) return trouble;
    if (in_flight_.writes_pending() != 0) {
        // What comes now can go out behind what is under way.
        const bool copying = copier_ && !copier_->idle();
        if (reader_.wait(copying ? std::chrono::microseconds(kLook) : kLinger) !=
            journal::WakeReason::timeout)
            return std::nullopt;
        // While tables are copied the lane stays at hand.
        if (copying) return settle(FANOUT_SETTLE_NOTHING);
        if (auto trouble = settle(FANOUT_SETTLE_WRITTEN)) return trouble;
    }
    if (parking_.next_redrive() && !batch_.in_transaction()) {
        if (auto trouble = settle(FANOUT_SETTLE_DURABLE)) return trouble;
        if (auto trouble = redrive_letters()) return trouble;
    }
    if (auto trouble = advance_idle_cursor()) return trouble;
    if (!waiting_ || passed_.end_lsn != posted_lsn_) publish(true);
    if (auto trouble = save_cursor_if_due()) return trouble;
    if (auto trouble = wait_for_data()) return trouble;
    return save_cursor_if_due();
}

Delivery::Trouble Delivery::advance_idle_cursor() {
    if (batch_.open_part_written() || passed_.end_lsn - durable_.end_lsn < kIdleAdvanceBytes)
        return std::nullopt;
    if (auto trouble = flush()) return trouble;
    if (auto trouble = settle(FANOUT_SETTLE_DURABLE)) return trouble;
    return save_cursor();
}

/// Brings the board up to date and tells the reporter if it is worth a report.
void Delivery::publish(bool waiting) {
    const bool turned = waiting != waiting_;
    waiting_ = waiting;
    if (!batch_.has_complete() && in_flight_.empty()) settled_ = passed_;
    outbox_.update([&](LaneSnapshot& board) {
        board.cursor = settled_;
        board.waiting = waiting;
        board.caught_up = waiting && !batch_.in_transaction() && !in_flight_.flush_pending();
        board.rows_dead_lettered = letters_.rows_parked();
        board.rows_read =
            board.rows_delivered + board.rows_filtered + board.rows_dead_lettered + rows_in_hand_;
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
    const bool notes_at_target = connector_.keeps_cursor() && connector_.keeps_notes();
    const auto saved = cursors_.save(
        {settings_.start_lsn, flushed_, board.rows_read - rows_in_hand_, board.rows_delivered,
         board.rows_filtered, board.transactions, board.filtered_up_to,
         notes_at_target ? std::map<std::string, std::string>{} : notes_, board.tables});
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
    if (passed_.end_lsn != begun_.end_lsn) static_cast<void>(flush());
    if (auto trouble = settle(FANOUT_SETTLE_DURABLE)) return *trouble;
    if (auto trouble = save_cursor()) return *trouble;
    return {};
}

Delivery::Trouble Delivery::wait_for_data() {
    const bool news = copier_ && copier_->has_news();
    const auto idle = news ? std::chrono::milliseconds(kCopiesNewsAfter)
                           : std::chrono::duration_cast<std::chrono::milliseconds>(kIdleWait);
    if (in_flight_.flush_pending()) {
        if (reader_.wait(kDurableAfter) != journal::WakeReason::timeout) return std::nullopt;
        if (auto trouble = settle(FANOUT_SETTLE_DURABLE)) return trouble;
        publish(true);
        outbox_.post(LaneEvent::progress);
    }
    const bool unsaved = !connector_.keeps_cursor() && flushed_.end_lsn != durable_.end_lsn;
    if (!unsaved) {
        reader_.wait(idle);
        return std::nullopt;
    }
    const auto due = saved_at_ + kCursorSaveInterval - std::chrono::steady_clock::now();
    reader_.wait(std::max(std::chrono::ceil<std::chrono::milliseconds>(due), 1ms));
    return std::nullopt;
}

/// Lets go of what no batch points to any more.
void Delivery::release_memory() {
    if (record_in_use_) return;
    const std::uint64_t next = reader_.records() + 1;
    const std::uint64_t first = in_flight_.first_record(batch_.first_record(next));
    reader_.release_before(std::min(first, written_from_.value_or(first)));
    // A batch that waits for its turn has rows of such tables, too.
    if (batch_.empty() && in_flight_.writes_pending() == 0 && !written_from_)
        tables_.forget_replaced();
}

Ending Delivery::failed_call(const char* call, const host::Outcome& outcome) {
    // What the target has by now comes no more, and would never be counted.
    if (connector_.flushes_ahead() && !in_flight_.empty()) take_progress(connector_.progress());
    if (redriving_ && (outcome.code == FANOUT_REJECT || outcome.code == FANOUT_FATAL))
        return ended_redrive(outcome);
    if (outcome.code == FANOUT_REJECT) return refused_change(outcome);
    Ending ending{Ending::Kind::trouble, state_after(outcome.code), outcome.message, outcome.hint,
                  0};
    if (outcome.code == FANOUT_FENCED && ending.hint.empty())
        ending.hint = "another fanoutd delivers this subscription: stop one of the two";
    log::debug("connector call failed", {{"subscription", settings_.name},
                                         {"call", call},
                                         {"outcome", static_cast<int>(outcome.code)},
                                         {"error", outcome.message}});
    return ending;
}

}  // namespace fanout::lane
