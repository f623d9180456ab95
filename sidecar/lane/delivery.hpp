// One stay at a target, from open to the first trouble: journal → batches → write → flush → cursor.
//
// A batch is whatever has arrived, up to the limits; no timer holds anything back. A connector that
// flushes ahead works on up to two batches while the next is read; a cursor counts only when the
// connector says that it is durable. Every trouble
// ends the delivery with a reason; the lane decides what follows, and the next delivery begins at
// the target's cursor. That is the one recovery path. Lane thread.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "fanout/base/ids.hpp"
#include "sidecar/backfill/copier.hpp"
#include "sidecar/backfill/plan_box.hpp"
#include "sidecar/host/connector_guard.hpp"
#include "sidecar/journal/journal.hpp"
#include "sidecar/lane/batch_builder.hpp"
#include "sidecar/lane/cursor_store.hpp"
#include "sidecar/lane/in_flight.hpp"
#include "sidecar/lane/lane_outbox.hpp"
#include "sidecar/lane/lane_settings.hpp"
#include "sidecar/lane/table_cache.hpp"
#include "sidecar/letters/parking.hpp"

namespace fanout::lane {

/// Why a delivery ended.
struct Ending {
    /// reopen: behind a void transaction. again: from the cursor, without what was refused.
    enum class Kind : std::uint8_t { stopped, reopen, again, trouble };
    Kind kind = Kind::stopped;
    LaneState state = LaneState::streaming;  // of trouble
    std::string message, hint;
    Oid32 denied_table = 0;
    Lsn stopped_lsn = 0;  // of a transaction that a person may skip
};

/// Where a delivery stood that ended with `reopen`: part of a transaction was at the target when
/// the transaction turned out to be void. The target is opened again to forget it; reading goes on
/// behind the abort, with the same tables. Going back to the cursor would find the void part again,
/// for ever.
struct Standpoint {
    fanout_cursor flushed;  // what the target must have
    fanout_cursor passed;
};

/// What a delivery works with; all of it outlives it.
struct DeliveryParts {
    const LaneSettings& settings;
    journal::Journal& journal;
    journal::JournalReader& reader;
    const CursorStore& cursors;
    TableCache& tables;
    LaneOutbox& outbox;
    const backfill::PlanBox& plan;
    letters::Parking& parking;
    letters::DeadLetters& letters;
    const std::atomic<bool>& stop_requested;
    std::uint64_t epoch;  // of the stream's present attachment
    std::optional<Standpoint> standpoint;
};

class Delivery {
  public:
    Delivery(const DeliveryParts& parts, host::ConnectorGuard& connector);

    Ending run();
    /// Something became durable: the trouble before it is over.
    bool progressed() const { return progressed_; }
    /// After an ending with `reopen`: what the next delivery is given.
    Standpoint standpoint() const { return {begun_, passed_}; }

  private:
    using Trouble = std::optional<Ending>;

    /// Batches a connector may have that flushes ahead, beside the one that is being read.
    static constexpr std::size_t kWritesAheadMax = 2;

    Trouble open();
    bool go_on_from(const fanout_cursor& cursor);
    Trouble rewound(const fanout_cursor& cursor) const;
    Lsn find_creation();
    Trouble read_on();
    Trouble take(const wire::RecordView& record);
    Trouble take_begin(const wire::RecordView& record);
    Trouble take_commit(const wire::RecordView& record);
    Trouble take_abort();
    Trouble take_relation(const wire::RecordView& record);
    Trouble take_row(const wire::RecordView& record);
    Trouble take_truncate(const wire::RecordView& record);
    Trouble take_message(const wire::RecordView& record);
    Trouble take_keepalive(const wire::RecordView& record);
    Trouble take_filtered(const wire::RecordView& record);
    Trouble take_unjudged(const wire::RecordView& record);
    Trouble take_ddl(const wire::RecordView& record);
    Trouble hold_before(const fanout_ddl& ddl);
    Trouble write_ddl(const wire::RecordView& record, const fanout_ddl& ddl);
    Trouble take_sequence(const wire::RecordView& record);
    Trouble write_before_this();
    Trouble write_in_its_place(const wire::RecordView& record, const fanout_change& change);
    Trouble take_rewritten(const wire::RecordView& record);
    Trouble close_copy_windows(Oid32 table = 0);
    Trouble copies_before_ddl(const wire::RecordView& record, const fanout_ddl& ddl);

    std::uint64_t take_row_of_copy(fanout_change& change, std::uint64_t bytes);
    void add_row(const fanout_change& change, std::uint64_t bytes);
    std::uint64_t judge_truncate(fanout_change& change);
    Trouble land_before_this(std::uint64_t window);

    Trouble find_notes(const std::map<std::string, std::string>& stored);
    void take_plan();
    Trouble serve_copies();
    Trouble prepare_copies();
    Trouble create_next_index();
    void show_copies();
    Trouble land_window(std::uint64_t window);
    Trouble land(const backfill::Landing& landing);
    Trouble write_rows(const backfill::Landing& landing, const fanout_table& table);
    Trouble add_copied(const backfill::Piece& piece, std::size_t row, const fanout_table& table,
                       unsigned flags, Batch& batch);
    Trouble write_alone(Batch batch);
    Trouble land_what_is_ready();
    Trouble tell_of_copies();
    bool copies_are_told_late() const;
    Trouble put_notes();
    Lsn copied_at() const;
    Trouble refused_copy(const host::Outcome& outcome);
    Trouble park_copy(const fanout_change& change, const letters::Reason& reason);
    Trouble unreadable_copy(const fanout_change& change, const std::string& why);

    bool over_limits() const;
    Trouble relieve();
    Trouble deliver();
    Trouble deliver_durably();
    Trouble write(Batch batch);
    Trouble flush();
    Trouble settle(fanout_settle until);
    Trouble move_on();
    Trouble rest();
    Trouble advance_idle_cursor();
    Trouble save_cursor_if_due();
    Trouble save_cursor();
    Ending leave();
    Trouble read_rest();
    Trouble wait_for_data();
    void take_progress(const fanout_progress& progress);
    void count(const Delivered& delivered);
    void release_memory();
    void publish(bool waiting);

    Trouble denied(const CachedTable& table);
    Trouble refused(const CachedTable& table);
    Ending stop_before(std::string message, std::string hint) const;
    bool is_wanted(const CachedTable& table) const;
    Trouble park(const wire::RecordView& record, const CachedTable* table);
    bool is_parked(const wire::RecordView& record) const;
    Trouble park_unreadable(const wire::RecordView& record, const CachedTable& table,
                            const std::string& what);
    Trouble supersede(const fanout_change& change, const Position& at);
    Trouble letters_changed(const Status& status) const;
    Trouble take_redriven_note(std::map<std::string, std::string>& notes);
    Trouble redrive_letters();
    Trouble redrive(const Position& at);
    Status decode_letter(const letters::Letter& letter, fanout_change& change);
    Trouble write_letter(fanout_change& change);
    Trouble redrive_refused(const Position& at, const std::string& error, const std::string& hint);
    Ending failed_call(const char* call, const host::Outcome& outcome);
    Ending refused_change(const host::Outcome& outcome);
    Ending ended_redrive(const host::Outcome& outcome);

    const LaneSettings& settings_;
    journal::Journal& journal_;
    journal::JournalReader& reader_;
    const CursorStore& cursors_;
    TableCache& tables_;
    LaneOutbox& outbox_;
    letters::Parking& parking_;
    letters::DeadLetters& letters_;
    const std::atomic<bool>& stop_requested_;
    const std::uint64_t epoch_;
    const std::optional<Standpoint> standpoint_;
    host::ConnectorGuard& connector_;
    const backfill::PlanBox& plan_;

    BatchBuilder batch_;
    InFlight in_flight_;
    fanout_cursor passed_{};   // complete transactions and keepalives that were read
    fanout_cursor durable_{};  // what a restart would begin at
    fanout_cursor begun_{};    // given to the last flush
    fanout_cursor flushed_{};  // durable, as the connector says
    fanout_cursor settled_{};  // nothing up to it is in hand: what is reported
    Lsn posted_lsn_ = 0;       // end_lsn of the last progress the reporter was told of
    Lsn open_commit_lsn_ = 0;
    PgTime open_commit_time_ = 0;
    Lsn open_end_lsn_ = 0;
    std::uint64_t rows_in_hand_ = 0;            // read, not flushed
    std::map<std::string, std::string> notes_;  // progress of copies, as it was put last
    std::uint64_t plan_version_ = 0;
    bool record_in_use_ = false;                 // the one that take() works on has to stay
    std::optional<std::uint64_t> written_from_;  // the oldest record of the batch write() has
    std::uint32_t open_xid_ = 0;
    std::set<Oid32> rewritten_;                 // tables whose rewritten rows are for the target
    std::uint64_t copied_rows_ = 0;             // ordinals of their positions
    std::vector<fanout_change> spare_changes_;  // of a copied chunk that is done with
    bool landings_wait_ = false;                // for the connector to be done with others
    std::chrono::steady_clock::time_point copies_told_at_{};

    /// A dead letter that is being delivered.
    struct Redriving {
        Redriving(const Position& position, std::uint32_t subscription)
            : at(position), tables(subscription) {}
        Position at;
        letters::OpenLetter file;
        TableCache tables;  // of its own: the table may look different by now
    };
    std::unique_ptr<Redriving> redriving_;
    std::uint64_t records_since_move_ = 0;
    bool waiting_ = false;  // for the journal to grow
    bool progressed_ = false;
    std::chrono::steady_clock::time_point saved_at_{};
    std::unique_ptr<backfill::Copier> copier_;  // null: nothing was ever to be copied
};

}  // namespace fanout::lane
