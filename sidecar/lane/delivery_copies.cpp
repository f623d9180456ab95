// The part of Delivery that serves copies of existing rows: it stands still for their snapshots,
// puts their rows into the order of the stream, and asks what becomes of a change meanwhile.
//
// A chunk is written between two source transactions, with a flush of its own that carries the
// note of it. docs/backfill.md has the argument.
#include <algorithm>

#include "sidecar/lane/delivery.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::lane {

namespace {

/// What is copied at one place in the log is numbered behind the changes there, and on from what
/// was copied there before a restart: by microseconds, which pass faster than rows.
std::uint64_t first_ordinal() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

/// How far copies are is told this often at most, unless one has begun or ended.
constexpr auto kCopiesTellEvery = std::chrono::milliseconds(500);

}  // namespace

/// The copies' progress is the target's, or else beside the cursor.
Delivery::Trouble Delivery::find_notes(const std::map<std::string, std::string>& stored) {
    copier_.reset();
    notes_ = stored;
    if (connector_.keeps_notes() && connector_.keeps_cursor()) {
        if (auto outcome = connector_.read_notes(notes_); !outcome.ok())
            return failed_call("read_notes", outcome);
        if (auto trouble = take_redriven_note(notes_)) return trouble;
    }
    plan_version_ = 0;
    copied_rows_ = first_ordinal();
    take_plan();
    return std::nullopt;
}

void Delivery::take_plan() {
    if (plan_version_ == plan_.version() || settings_.source.empty()) return;
    const auto plan = plan_.get(plan_version_);
    if (copier_) {
        copier_->set_plan(plan);
        return;
    }
    if (!plan.options.backfill && plan.requests.empty() && notes_.empty()) return;
    backfill::CopierParts parts;
    parts.conninfo = settings_.source;
    parts.owner = settings_.owner;
    parts.directory = journal_.directory().string();
    parts.subscription = settings_.subscription;
    parts.wake_lane = [this] { reader_.interrupt(); };
    parts.held_back = [this] {
        return journal_.near_limit() ? std::string("waiting: the journal is near its limit")
                                     : std::string();
    };
    parts.stop_requested = &stop_requested_;
    parts.always_lenient = connector_.keeps_cursor() && !connector_.keeps_notes();
    parts.takes_indexes = connector_.creates_indexes();
    parts.may_repeat = !connector_.keeps_cursor();
    copier_ = std::make_unique<backfill::Copier>(std::move(parts), notes_, plan);
}

/// At a commit boundary: whatever the copies wait for. Snapshots first: readers go on with them
/// while the lane writes.
Delivery::Trouble Delivery::serve_copies() {
    if (batch_.in_transaction()) return std::nullopt;
    if (plan_version_ != plan_.version()) take_plan();
    if (!copier_) return std::nullopt;
    const bool may_land = landings_wait_ && in_flight_.writes_pending() < kWritesAheadMax;
    if (!copier_->attention(passed_.end_lsn) && !may_land && !copies_are_told_late())
        return std::nullopt;
    copier_->pass(passed_.end_lsn);
    copier_->hold();
    if (auto trouble = prepare_copies()) return trouble;
    if (auto trouble = land_what_is_ready()) return trouble;
    if (auto trouble = create_next_index()) return trouble;
    if (copier_->has_due_notes()) {
        if (auto trouble = deliver()) return trouble;
        if (auto trouble = flush()) return trouble;
    }
    return tell_of_copies();
}

/// As far as the connector takes it without a wait: a lane that waits lets readers wait.
Delivery::Trouble Delivery::land_what_is_ready() {
    landings_wait_ = false;
    while (const auto landing = copier_->next_landing(std::nullopt)) {
        if (in_flight_.writes_pending() >= kWritesAheadMax) {
            landings_wait_ = true;
            return std::nullopt;
        }
        if (auto trouble = land(*landing)) return trouble;
        copier_->hold();
    }
    return std::nullopt;
}

bool Delivery::copies_are_told_late() const {
    return copier_ && copier_->has_news() &&
           (copier_->has_turned() ||
            std::chrono::steady_clock::now() - copies_told_at_ >= kCopiesTellEvery);
}

/// A beginning or an end is told when the target has it for good. How far the rest is may be told
/// ahead of that: to wait for the target's disk twice a second would cost a quarter of the speed,
/// and what a crash takes back is read again and told again.
Delivery::Trouble Delivery::tell_of_copies() {
    if (!copies_are_told_late()) return std::nullopt;
    const bool turned = copier_->has_turned();
    copier_->told();
    copies_told_at_ = std::chrono::steady_clock::now();
    if (auto trouble = settle(turned ? FANOUT_SETTLE_DURABLE : FANOUT_SETTLE_NOTHING))
        return trouble;
    show_copies();
    // Whoever waits for the end of a copy waits for the cursor, too.
    return turned && !connector_.keeps_cursor() ? save_cursor() : save_cursor_if_due();
}

void Delivery::show_copies() {
    outbox_.update([&](LaneSnapshot& board) { board.backfills = copier_->reports(); });
    outbox_.post(LaneEvent::progress);
}

/// One at a time, so that the stream goes on between two. Whether it is there already is asked at
/// the target, so that nothing has to be kept about those that are done. One that cannot be made
/// holds up nobody: no row depends on it.
Delivery::Trouble Delivery::create_next_index() {
    const auto task = copier_->next_index(passed_.end_lsn);
    if (!task) return std::nullopt;
    if (auto trouble = deliver_durably()) return trouble;
    show_copies();
    const auto& index = task->index();
    const fanout_index wanted{{index.name.data(), index.name.size()},
                              static_cast<std::uint8_t>(index.unique ? 1 : 0),
                              {index.definition.data(), index.definition.size()}};
    const auto outcome = connector_.create_index(task->shape->table, wanted, task->own_tables_only);
    if (outcome.code == FANOUT_RETRY || outcome.code == FANOUT_FENCED)
        return failed_call("create_index", outcome);
    std::string problem;
    if (!outcome.ok()) {
        problem = "index " + index.name + " was not made: " + outcome.message;
        log::warning("an index of the source is not made at the target",
                     {{"subscription", settings_.name},
                      {"index", index.name},
                      {"error", outcome.message},
                      {"hint", outcome.hint},
                      {"by hand", index.statement}});
    }
    copier_->index_done(*task, problem, index.statement + ";");
    return std::nullopt;
}

Delivery::Trouble Delivery::prepare_copies() {
    while (const auto next = copier_->next_preparation()) {
        if (auto trouble = deliver()) return trouble;
        const auto& table = next->shape->table;
        if (auto outcome = connector_.prepare_table(table, next->must_be_empty); !outcome.ok())
            return failed_call("prepare_table", outcome);
        const fanout_table* tables[] = {&table};
        if (next->truncate) {
            Batch batch;
            fanout_change& change = batch.changes.emplace_back();
            change = {};
            change.op = FANOUT_TRUNCATE;
            change.index = ++copied_rows_;
            change.tables = tables;
            change.table_count = 1;
            if (auto trouble = supersede(change, {copied_at(), change.index})) return trouble;
            if (auto trouble = write_alone(std::move(batch))) return trouble;
            if (auto trouble = settle(FANOUT_SETTLE_WRITTEN)) return trouble;
        }
        copier_->prepared(next->table);
        if (auto trouble = flush()) return trouble;
        // Whoever is killed from here on has to know that rows may be at the target.
        if (!connector_.keeps_cursor())
            if (auto trouble = save_cursor()) return trouble;
    }
    return std::nullopt;
}

/// Waits for a window that has to be at the target before the stream can go on.
Delivery::Trouble Delivery::land_window(std::uint64_t window) {
    for (;;) {
        copier_->wait_for(window);
        if (stop_requested_) return Ending{};
        const auto landing = copier_->next_landing(window);
        if (!landing) return std::nullopt;  // given up
        if (auto trouble = land(*landing)) return trouble;
        // It may be a whole table, and take its time.
        if (auto trouble = tell_of_copies()) return trouble;
        if (landing->last) return std::nullopt;
    }
}

/// In the midst of taking a record, whose bytes have to stay.
Delivery::Trouble Delivery::land_before_this(std::uint64_t window) {
    record_in_use_ = true;
    auto trouble = land_window(window);
    record_in_use_ = false;
    return trouble;
}

Delivery::Trouble Delivery::land(const backfill::Landing& landing) {
    if (auto trouble = deliver()) return trouble;
    // The stream's own idea of the table, if it is the same: a connector plans once.
    const auto* known = tables_.find(landing.table);
    const bool same = known != nullptr && landing.shape->same_shape(known->table);
    if (known == nullptr) tables_.count_of(landing.shape->table);
    if (landing.piece)
        if (auto trouble = write_rows(landing, same ? known->table : landing.shape->table))
            return trouble;
    copier_->landed(landing, passed_.end_lsn);
    if (auto trouble = flush()) return trouble;
    if (!parking_.any_copy_refused()) return std::nullopt;
    // What was refused is only forgotten once the rest was not.
    if (auto trouble = settle(FANOUT_SETTLE_WRITTEN)) return trouble;
    parking_.copies_landed(landing.table);
    return std::nullopt;
}

namespace {

/// What is known of a piece's rows by their keys, if anything is.
class KnownRows {
  public:
    KnownRows(const backfill::Landing& landing, bool in_transaction)
        : landing_(landing),
          in_transaction_(in_transaction),
          outdates_(!landing.of->changed.empty() || !landing.of->changing.empty()) {
        if (outdates_ || landing.touched)
            places_ = landing.shape->key->places_in(landing.shape->table);
    }

    /// The target has a newer one, or none because it went.
    bool is_outdated(const fanout_value* row) const {
        if (!outdates_ || !places_) return false;
        const auto key = backfill::key_of(*places_, row);
        return key && landing_.of->is_outdated(*key, in_transaction_);
    }

    /// The target may have one.
    bool may_be_there(const fanout_value* row) const {
        if (!landing_.touched || !places_) return landing_.lenient;
        return landing_.touched->may_have(*places_, row);
    }

  private:
    const backfill::Landing& landing_;
    const bool in_transaction_, outdates_;
    std::optional<std::vector<std::size_t>> places_;
};

}  // namespace

/// One write, so that a connector can send it ahead; a chunk is limited by its bytes. Rows that may
/// be there come last: the others are nothing but inserts.
Delivery::Trouble Delivery::write_rows(const backfill::Landing& landing,
                                       const fanout_table& table) {
    const auto& piece = *landing.piece;
    const KnownRows known(landing, batch_.in_transaction());
    Batch batch;
    batch.rows = landing.piece;
    batch.shape = landing.shape;
    batch.changes = std::move(spare_changes_);
    batch.changes.clear();
    batch.changes.reserve(piece.rows());
    std::vector<std::size_t> later;
    for (std::size_t i = 0; i < piece.rows(); ++i) {
        if (known.is_outdated(piece.row(i))) continue;
        if (known.may_be_there(piece.row(i)))
            later.push_back(i);
        else if (auto trouble = add_copied(piece, i, table, 0, batch))
            return trouble;
    }
    for (const std::size_t i : later)
        if (auto trouble = add_copied(piece, i, table, FANOUT_CHANGE_LENIENT, batch))
            return trouble;
    return batch.changes.empty() ? std::nullopt : write_alone(std::move(batch));
}

Delivery::Trouble Delivery::add_copied(const backfill::Piece& piece, std::size_t row,
                                       const fanout_table& table, unsigned flags, Batch& batch) {
    fanout_change change{};
    change.op = FANOUT_READ;
    change.flags = flags;
    change.table = &table;
    change.index = ++copied_rows_;
    change.after = piece.row(row);
    if (const auto* why = piece.refusal(row)) return unreadable_copy(change, *why);
    const auto* refused = parking_.any_copy_refused()
                              ? parking_.copy_refused(table.oid, letters::row_hash(change))
                              : nullptr;
    if (refused != nullptr) return park_copy(change, *refused);
    if (auto trouble = supersede(change, {copied_at(), change.index})) return trouble;
    batch.changes.push_back(change);
    return std::nullopt;
}

/// Where in the log the stream is, for what is not of it. Before the first transaction: in front
/// of whatever may come.
Lsn Delivery::copied_at() const {
    if (passed_.commit_lsn == 0 && passed_.end_lsn != 0) return passed_.end_lsn - 1;
    return passed_.commit_lsn;
}

/// A transaction of the host's own, at the place where the stream is.
Delivery::Trouble Delivery::write_alone(Batch batch) {
    batch.change_count = batch.changes.size();
    // It points into none, but what is written behind it may point into these.
    const std::uint64_t next = reader_.records() + (record_in_use_ ? 0 : 1);
    batch.first_record = batch_.first_record(next);
    fanout_transaction transaction{};
    transaction.commit_lsn = copied_at();
    transaction.end_lsn = passed_.end_lsn;
    transaction.commit_time = passed_.commit_time;
    transaction.begins = transaction.ends = 1;
    transaction.changes = batch.changes.data();
    transaction.change_count = batch.change_count;
    for (const auto& change : batch.changes)
        rows_in_hand_ += change.table != nullptr ? 1 : 0;
    batch.transactions.push_back(transaction);
    return write(std::move(batch));
}

/// With the next flush, and only with it.
Delivery::Trouble Delivery::put_notes() {
    if (!copier_) return std::nullopt;
    const bool at_target = connector_.keeps_notes() && connector_.keeps_cursor();
    for (const auto& [name, text] : copier_->due_notes()) {
        if (text) {
            notes_[name] = *text;
        } else {
            notes_.erase(name);
        }
        if (!at_target) continue;
        if (auto outcome = connector_.put_note(name, text ? text->c_str() : nullptr); !outcome.ok())
            return failed_call("put_note", outcome);
    }
    return std::nullopt;
}

void Delivery::add_row(const fanout_change& change, std::uint64_t bytes) {
    batch_.add(change, bytes, reader_.records());
    ++rows_in_hand_;
}

/// A change while tables are copied. Not 0: this window has to land first, nothing was taken.
std::uint64_t Delivery::take_row_of_copy(fanout_change& change, std::uint64_t bytes) {
    using backfill::Verdict;
    const auto remove_only = [](fanout_change& as) {
        as.op = FANOUT_DELETE;
        as.after = nullptr;
    };
    const auto insert_only = [](fanout_change& as) {
        as.op = FANOUT_INSERT;
        as.before = nullptr;
        as.before_kind = FANOUT_BEFORE_NONE;
    };
    // Only rows of a table have to be out of the way; who reads changes takes them as they are.
    const bool in_tables = connector_.creates_tables();
    const auto judged = copier_->judge(change, open_xid_);
    switch (judged.verdict) {
        case Verdict::wait:
            return judged.window;
        case Verdict::drop:
            return 0;
        case Verdict::lenient:
            change.flags |= FANOUT_CHANGE_LENIENT;
            break;
        case Verdict::remove_old:
            remove_only(change);
            break;
        case Verdict::insert_new:
            insert_only(change);
            break;
        case Verdict::move_lenient: {
            change.flags |= FANOUT_CHANGE_LENIENT;
            if (!in_tables) break;
            fanout_change old = change;
            remove_only(old);
            add_row(old, 0);
            insert_only(change);
            break;
        }
        case Verdict::replace:
            change.flags |= FANOUT_CHANGE_LENIENT;
            if (in_tables) insert_only(change);
            break;
        case Verdict::move_onto:
        case Verdict::move_onto_lenient: {
            if (!in_tables) {
                change.flags |= FANOUT_CHANGE_LENIENT;
                break;
            }
            fanout_change other = change;
            other.flags |= FANOUT_CHANGE_LENIENT;
            remove_only(other);
            const std::size_t columns = change.table->column_count;
            auto* at_new_key = batch_.arena().make<fanout_value>(columns);
            for (std::size_t i = 0; i < columns; ++i)
                at_new_key[i] =
                    change.after[i].state == FANOUT_UNCHANGED ? change.before[i] : change.after[i];
            other.before = at_new_key;
            other.before_kind = FANOUT_BEFORE_KEY;
            add_row(other, 0);
            if (judged.verdict == Verdict::move_onto_lenient) change.flags |= FANOUT_CHANGE_LENIENT;
            break;
        }
        case Verdict::apply:
        case Verdict::unknown:
            break;
    }
    add_row(change, bytes);
    return 0;
}

/// Tables of it that are not at the target yet are left out. Not 0: as above.
std::uint64_t Delivery::judge_truncate(fanout_change& change) {
    for (std::size_t i = 0; i < change.table_count; ++i)
        if (const auto window = copier_->truncate_waits_for(change.tables[i]->oid, open_xid_))
            return *window;
    std::size_t kept = 0;
    auto** tables = batch_.arena().make<const fanout_table*>(change.table_count);
    for (std::size_t i = 0; i < change.table_count; ++i)
        if (copier_->truncated(change.tables[i]->oid, open_xid_)) tables[kept++] = change.tables[i];
    change.tables = tables;
    change.table_count = kept;
    return 0;
}

}  // namespace fanout::lane
