// The part of Delivery about what the target will not have: what is put aside, what supersedes it,
// and how it is delivered after all.
//
// A dead letter is delivered at a commit boundary, in a transaction of its own, before anything is
// read: then nothing is in hand, and every change before the boundary that might be about the same
// row has left its mark (DeadLetters::supersede). The target's note kRedrivenNote says which letter
// it had last, in the same atomic step: a crash in between delivers nothing twice.
#include <algorithm>
#include <charconv>

#include "fanout/base/fault_point.hpp"
#include "fanout/base/lsn_text.hpp"
#include "sidecar/lane/delivery.hpp"
#include "sidecar/lane/row_decoder.hpp"
#include "sidecar/lane/sql_literal.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::lane {
namespace {

constexpr const char* kRedrivenNote = "redriven";

/// Copied rows are numbered from here on: no transaction has so many changes.
constexpr std::uint64_t kCopiedFrom = 1ULL << 48;

const char* operation_name(wire::Kind kind) {
    switch (kind) {
        case wire::Kind::insert:
            return "insert";
        case wire::Kind::update:
            return "update";
        case wire::Kind::remove:
            return "delete";
        case wire::Kind::truncate:
            return "truncate";
        case wire::Kind::ddl:
            return "ddl";
        case wire::Kind::rewritten:
            return "insert";
        case wire::Kind::sequence:
            return "sequence";
        default:
            return "message";
    }
}

std::string text_of(const fanout_text& text) {
    return {text.data, text.size};
}

void name_table(letters::Letter& letter, const fanout_table& table) {
    letter.table = table.oid;
    letter.schema_name = text_of(table.schema);
    letter.table_name = text_of(table.name);
}

std::string position_text(const Position& at) {
    return lsn_text(at.commit_lsn) + " " + std::to_string(at.index);
}

std::optional<Position> position_of(const std::string& text) {
    const auto space = text.find(' ');
    if (space == std::string::npos) return {};
    const auto lsn = parse_lsn(text.substr(0, space));
    Position at;
    const auto* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data() + space + 1, end, at.index);
    if (!lsn || error != std::errc() || stopped != end) return {};
    at.commit_lsn = *lsn;
    return at;
}

Ending again() {
    return {Ending::Kind::again, LaneState::streaming, "", "", 0};
}

}  // namespace

/// What could not be written to the state directory may be written later.
Delivery::Trouble Delivery::letters_changed(const Status& status) const {
    if (status.is_ok()) return std::nullopt;
    return Ending{Ending::Kind::trouble, LaneState::retrying, status.text(), "", 0};
}

bool Delivery::is_parked(const wire::RecordView& record) const {
    return parking_.knows({record.header.lsn, record.header.index});
}

/// Keeps the change as it came, with its table's shape, before anything behind it can be flushed.
Delivery::Trouble Delivery::park(const wire::RecordView& record, const CachedTable* table) {
    letters::Letter letter;
    letters::LetterRecords records;
    letter.at = {record.header.lsn, record.header.index};
    letter.commit_time = open_commit_time_;
    letter.xid = open_xid_;
    letter.operation = operation_name(record.kind());
    letter.is_row = table != nullptr;
    if (table != nullptr) {
        name_table(letter, table->table);
        fanout_change change;
        if (auto decoded = decode_row(record, *table, batch_.arena(), change); !decoded.is_ok())
            return Ending{Ending::Kind::trouble, LaneState::failed, decoded.text(), "", 0};
        letter.key = letters::row_key(change);
        records = {table->epoch, table->record_flags, table->record, record.whole};
    } else if (record.kind() == wire::Kind::message) {
        records.change = record.whole;
    }
    return letters_changed(parking_.park(std::move(letter), records));
}

/// A row of which only the place is known.
Delivery::Trouble Delivery::park_unreadable(const wire::RecordView& record,
                                            const CachedTable& table, const std::string& what) {
    letters::Letter letter;
    letter.at = {record.header.lsn, record.header.index};
    letter.commit_time = open_commit_time_;
    letter.xid = open_xid_;
    letter.operation = "unreadable row";
    letter.error = what;
    name_table(letter, table.table);
    return letters_changed(parking_.park(std::move(letter), {}));
}

/// Before `change` goes out: letters that must not be delivered behind it any more.
Delivery::Trouble Delivery::supersede(const fanout_change& change, const Position& at) {
    if (!letters_.any_waits()) return std::nullopt;
    if (change.table != nullptr) {
        const auto key = letters::row_key(change);
        return letters_changed(letters_.supersede(change.table->oid, &key, at));
    }
    for (std::size_t i = 0; i < change.table_count; ++i)
        if (auto trouble = letters_changed(letters_.supersede(change.tables[i]->oid, nullptr, at)))
            return trouble;
    return std::nullopt;
}

/// By policy it is put aside: the target forgets what it has of the batch, and all but the change
/// comes again. Otherwise the lane stops, and says how to go on without it.
Ending Delivery::refused_change(const host::Outcome& outcome) {
    if (auto refused = refused_copy(outcome)) return *refused;
    if (settings_.park_rejected && parking_.refuse(outcome.at, outcome.message, outcome.hint))
        return again();
    Ending ending{Ending::Kind::trouble, LaneState::failed, outcome.message, outcome.hint, 0};
    if (outcome.at.commit_lsn == 0) return ending;
    const std::string lsn = lsn_text(outcome.at.commit_lsn);
    const std::string index = std::to_string(outcome.at.index);
    ending.message += " (change at " + lsn + ", index " + index + ")";
    if (ending.hint.empty()) ending.hint = "Mend the target or the row's table, then resume.";
    ending.hint += " To go on without it: SELECT fanout.skip('" + settings_.name + "', '" + lsn +
                   "', " + index + ");";
    return ending;
}

/// A copied row has no place in the stream at which it would come again; it is known by its
/// values. What its snapshot saw may stand in the way of what the stream has yet to remove: that
/// goes by itself once the stream is there.
Delivery::Trouble Delivery::refused_copy(const host::Outcome& outcome) {
    if (!copier_ || outcome.at.index < kCopiedFrom) return std::nullopt;
    const bool may_pass = reader_.backlog_bytes() != 0;
    const fanout_change* row = in_flight_.find_copied(outcome.at.index);
    if (settings_.park_rejected && row != nullptr &&
        parking_.refuse_copy(row->table->oid, letters::row_hash(*row),
                             {outcome.message, outcome.hint}, may_pass))
        return again();
    return Ending{
        Ending::Kind::trouble, may_pass ? LaneState::retrying : LaneState::failed,
        "a copied row was refused: " + outcome.message,
        outcome.hint.empty() ? "Mend the target or the row's table, then resume." : outcome.hint,
        0};
}

Delivery::Trouble Delivery::park_copy(const fanout_change& change, const letters::Reason& reason) {
    letters::Letter letter;
    letter.key = letters::row_key(change);
    if (letters_.has_copy(change.table->oid, letter.key)) return std::nullopt;
    letter.at = {copied_at(), change.index};
    letter.commit_time = passed_.commit_time;
    letter.operation = letters::kCopyOperation;
    name_table(letter, *change.table);
    letter.error = reason.error;
    letter.hint = reason.hint;
    return letters_changed(parking_.park(std::move(letter), {}));
}

/// A row that the source cannot show, as park_unreadable() has them from the stream: the policy is
/// the same. The lane that stops reads its chunk again when it goes on.
Delivery::Trouble Delivery::unreadable_copy(const fanout_change& change, const std::string& why) {
    const std::string hint = "Mend the row at the source, or delete it there";
    if (settings_.park_rejected) return park_copy(change, {why, hint});
    return Ending{Ending::Kind::trouble, LaneState::failed, why,
                  hint + ", then SELECT fanout.resume_subscription(" + sql_literal(settings_.name) +
                      "); with on_reject park such rows are put aside",
                  0};
}

/// What the target had when fanoutd was killed before it could write that down.
Delivery::Trouble Delivery::take_redriven_note(std::map<std::string, std::string>& notes) {
    const auto note = notes.extract(kRedrivenNote);
    if (note.empty()) return std::nullopt;
    const auto at = position_of(note.mapped());
    if (!at) return std::nullopt;
    const auto letter = letters_.find(*at);
    if (!letter || letter->state == letters::LetterState::delivered) return std::nullopt;
    parking_.redrive_ended(*at);
    return letters_changed(letters_.delivered(*at));
}

/// At a commit boundary, with nothing in hand.
Delivery::Trouble Delivery::redrive_letters() {
    while (!stop_requested_ && passed_.end_lsn != 0) {
        const auto at = parking_.next_redrive();
        if (!at) break;
        if (auto trouble = redrive(*at)) return trouble;
        parking_.redrive_ended(*at);
        publish(waiting_);
        outbox_.post(LaneEvent::requested);
    }
    return std::nullopt;
}

Delivery::Trouble Delivery::redrive(const Position& at) {
    const auto letter = letters_.find(at);
    if (!letter) {
        letters_.report_lost(at);
        return std::nullopt;
    }
    if (letter->state != letters::LetterState::parked) return std::nullopt;
    redriving_ = std::make_unique<Redriving>(at, settings_.subscription);
    if (auto opened = letters_.open(at, redriving_->file); !opened.is_ok())
        return redrive_refused(at, opened.text(), "");
    if (redriving_->file.records().change.empty())
        return redrive_refused(at, "a " + letter->operation + " is not delivered again by itself",
                               "do the same at the target, or copy the table anew: SELECT "
                               "fanout.resync('" +
                                   settings_.name + "', ...)");
    fanout_change change;
    if (auto decoded = decode_letter(*letter, change); !decoded.is_ok())
        return redrive_refused(at, decoded.text(), "");
    if (copier_ && change.table != nullptr && copier_->copies(change.table->oid))
        return redrive_refused(at, "its table is being copied, and its row may come with that",
                               "redrive it when the copy is complete, if it still waits then");
    if (auto trouble = supersede(change, at)) return trouble;
    letters_.take_in_hand(at);
    if (auto trouble = write_letter(change)) return trouble;
    FANOUT_FAULT_HERE("lane.redriven");
    redriving_.reset();
    log::info("dead letter delivered", {{"subscription", settings_.name},
                                        {"change", position_text(at)},
                                        {"table", letter->table_name}});
    return letters_changed(letters_.delivered(at));
}

Status Delivery::decode_letter(const letters::Letter& letter, fanout_change& change) {
    const auto& records = redriving_->file.records();
    wire::RecordView record;
    if (auto opened = open_kept_record(records.change, record); !opened.is_ok()) return opened;
    if (!letter.is_row) return decode_message(record, change);
    const auto table = redriving_->tables.take(
        relation_record(records.relation, records.epoch, records.relation_flags));
    if (!table.is_ok()) return table.status();
    return decode_row(record, *table.value(), batch_.arena(), change);
}

Delivery::Trouble Delivery::write_letter(fanout_change& change) {
    change.index = ++copied_rows_;
    Batch batch;
    batch.changes.push_back(change);
    if (auto trouble = write_alone(std::move(batch))) return trouble;
    if (connector_.keeps_notes() && connector_.keeps_cursor())
        if (auto outcome =
                connector_.put_note(kRedrivenNote, position_text(redriving_->at).c_str());
            !outcome.ok())
            return failed_call("put_note", outcome);
    if (auto trouble = flush()) return trouble;
    return settle(FANOUT_SETTLE_DURABLE);
}

/// Refused again, or the target cannot take it as it is now: it stays parked, and the subscription
/// goes on.
Ending Delivery::ended_redrive(const host::Outcome& outcome) {
    auto kept = std::move(redriving_);  // the connector may look at it until it is closed
    const auto trouble = redrive_refused(kept->at, outcome.message, outcome.hint);
    redriving_ = std::move(kept);
    return trouble ? *trouble : again();
}

Delivery::Trouble Delivery::redrive_refused(const Position& at, const std::string& error,
                                            const std::string& hint) {
    log::warning(
        "dead letter refused again",
        {{"subscription", settings_.name}, {"change", position_text(at)}, {"error", error}});
    if (auto trouble = letters_changed(letters_.refused_again(at, error, hint))) return trouble;
    parking_.redrive_ended(at);
    redriving_.reset();
    outbox_.post(LaneEvent::requested);
    return std::nullopt;
}

}  // namespace fanout::lane
