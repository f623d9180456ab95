// See table_copy.hpp.
#include "sidecar/backfill/table_copy.hpp"

#include <algorithm>

namespace fanout::backfill {
namespace {

bool complete_image(const fanout_change& change) {
    for (std::size_t i = 0; i < change.table->column_count; ++i)
        if (change.after[i].state == FANOUT_UNCHANGED) return false;
    return true;
}

/// Does it give the row another key, whatever the row is found by?
bool moves(const fanout_change& change) {
    if (change.op != FANOUT_UPDATE || change.before_kind == FANOUT_BEFORE_NONE) return false;
    const fanout_table& table = *change.table;
    const unsigned flag = table.identity == 'f' ? FANOUT_COLUMN_PRIMARY_KEY : FANOUT_COLUMN_KEY;
    for (std::size_t i = 0; i < table.column_count; ++i) {
        if ((table.columns[i].flags & flag) == 0) continue;
        const fanout_value &from = change.before[i], &to = change.after[i];
        const auto view = [](const fanout_value& value) {
            return std::string_view(reinterpret_cast<const char*>(value.data), value.size);
        };
        if (to.state == FANOUT_UNCHANGED) continue;  // TOASTed, and so as it was
        if (from.state != to.state || view(from) != view(to)) return true;
    }
    return false;
}

/// For a row that may be missing, to where another may be.
Verdict move_over(const fanout_change& change) {
    if (complete_image(change)) return Verdict::move_lenient;
    return moves(change) ? Verdict::move_onto_lenient : Verdict::lenient;
}

bool is_copied(RangeState state) {
    return state == RangeState::landed || state == RangeState::done;
}

}  // namespace

/// The rule, for one key: drop what a snapshot to come, or the one taken, sees; put the chunk
/// before what it does not see; apply the rest.
Judgement TableCopy::judge_at(std::size_t i, std::uint32_t xid) const {
    const Range& range = ranges.ranges()[i];
    switch (range.state) {
        case RangeState::pending:
        case RangeState::claimed:
            return {Verdict::drop};
        case RangeState::open:
            if (!range.snapshot->sees(xid)) return {Verdict::wait, range.id};
            return {Verdict::drop};
        case RangeState::landed:
            return {range.snapshot->sees(xid) ? Verdict::drop : Verdict::apply};
        case RangeState::done:
            break;
    }
    return {Verdict::apply};
}

/// Columns may come and go while a table is copied, so the key's are looked up per version.
const std::vector<std::size_t>* TableCopy::key_places(const fanout_table& table) {
    if (places_version_ == table.version) return &places_;
    const auto places = shape->key->places_in(table);
    if (!places) return nullptr;
    places_ = *places;
    places_version_ = table.version;
    return &places_;
}

Judgement TableCopy::judge(const fanout_change& change, std::uint32_t xid) {
    const bool moves_key = change.op == FANOUT_UPDATE && change.before_kind != FANOUT_BEFORE_NONE;
    if (state == CopyState::indexing || state == CopyState::complete)
        return foreign_rows ? judge_beside_foreign(change) : Judgement{Verdict::apply};
    if (state == CopyState::gone) return {Verdict::drop};
    if (state == CopyState::cancelled) {
        if (!moves_key) return {Verdict::lenient};
        return {move_over(change)};
    }
    if (mode != CopyMode::ordered) return judge_unordered(change, xid);
    // The table may have to be empty, and a snapshot to come sees all that is left out.
    if (server_ordered() && !prepared) return {Verdict::drop};
    const KeyShape& key = *shape->key;
    const auto* places = key_places(*change.table);
    if (places == nullptr) return {Verdict::unknown};
    const bool has_before = change.before_kind != FANOUT_BEFORE_NONE;
    const auto of = [&](const fanout_value* image) {
        return image == nullptr ? std::nullopt
                                : key_of(*places, image, has_before ? change.before : nullptr);
    };
    const auto from = of(has_before ? change.before : change.after);
    const auto to = change.op == FANOUT_DELETE ? from : of(change.after);
    if (!from || !to) return {Verdict::unknown};
    if (key.server_ordered()) return judge_beside_windows(change, *from, *to, xid);
    if (moves_key && key.compare(*from, *to) != 0) return judge_move(change, *from, *to, xid);
    auto judged = judge_at(ranges.find(key, *to), xid);
    if (lenient && judged.verdict != Verdict::wait) judged.verdict = Verdict::lenient;
    return judged;
}

/// All of the source's rows are there, and maybe others where it now puts one.
Judgement TableCopy::judge_beside_foreign(const fanout_change& change) const {
    if (change.op == FANOUT_INSERT) return {Verdict::lenient};
    if (!moves(change)) return {Verdict::apply};
    return {complete_image(change) ? Verdict::move_lenient : Verdict::move_onto};
}

/// A key change is a delete in one range and an insert in another.
Judgement TableCopy::judge_move(const fanout_change& change, const KeyValues& from,
                                const KeyValues& to, std::uint32_t xid) {
    const KeyShape& key = *shape->key;
    const auto remove = judge_at(ranges.find(key, from), xid);
    if (remove.verdict == Verdict::wait) return remove;
    const std::size_t target = ranges.find(key, to);
    const auto insert = judge_at(target, xid);
    if (insert.verdict == Verdict::wait) return insert;
    if (lenient) {
        if (complete_image(change)) return {Verdict::move_lenient};
        // It moves if it is there; in case it is not, its new place is read again.
        if (is_copied(ranges.ranges()[target].state)) ranges.reopen_key(key, to);
        note_due = true;
        return {Verdict::move_onto_lenient};
    }
    const bool removes = remove.verdict == Verdict::apply,
               inserts = insert.verdict == Verdict::apply;
    if (removes && inserts) return {Verdict::apply};
    if (removes) return {Verdict::remove_old};
    if (!inserts) return {Verdict::drop};
    if (complete_image(change)) return {Verdict::insert_new};
    // The old row is not at the target, and not all of the new one is in the WAL.
    ranges.reopen_key(key, to);
    note_due = true;
    return {Verdict::drop};
}

/// Where ranges cannot be told apart every change is applied, and each window may hold its row. If
/// a window's snapshot does not see the change its row is left out of that window, and all of the
/// row has to be in the change; else the window lands first.
Judgement TableCopy::judge_beside_windows(const fanout_change& change, const KeyValues& from,
                                          const KeyValues& to, std::uint32_t xid) {
    if (touched) {
        touched->add(from);
        touched->add(to);
    }
    const bool whole = change.op != FANOUT_UPDATE || complete_image(change);
    bool any = false;
    for (auto& [id, window] : windows) {
        if (window->snapshot->sees(xid)) continue;
        if (!whole) return {Verdict::wait, id};
        any = true;
        if (window->changing_xid != xid) window->changed.merge(window->changing);
        window->changing_xid = xid;
        window->changing.insert(from);
        window->changing.insert(to);
    }
    if (change.op != FANOUT_UPDATE) return {Verdict::lenient};
    if (from == to) return {any ? Verdict::replace : Verdict::lenient};
    if (whole) return {Verdict::move_lenient};
    // It moves if it is there; in case it is not, its new place is read again.
    if (!ranges.is_done(from)) {
        ranges.reopen_single(to);
        note_due = true;
    }
    return {Verdict::move_onto_lenient};
}

void TableCopy::void_changes() {
    for (auto& [id, window] : windows)
        window->changing.clear();
}

/// One window for the whole table, whatever the key.
Judgement TableCopy::judge_unordered(const fanout_change& change, std::uint32_t xid) const {
    auto judged = judge_at(0, xid);
    // Nothing can name a row that has no key, so the order of its insert does not matter.
    if (judged.verdict == Verdict::wait && change.op == FANOUT_INSERT && shape && !shape->keyed)
        return {Verdict::apply};
    if (!lenient || judged.verdict == Verdict::wait) return judged;
    const bool moves_key = change.op == FANOUT_UPDATE && change.before_kind != FANOUT_BEFORE_NONE;
    return {moves_key ? move_over(change) : Verdict::lenient};
}

std::optional<std::uint64_t> TableCopy::truncate_waits_for(std::uint32_t xid) const {
    if (!under_way()) return std::nullopt;
    for (const Range& range : ranges.ranges())
        if (range.state == RangeState::open && !range.snapshot->sees(xid)) return range.id;
    return std::nullopt;
}

/// What landed although its snapshot is from behind the TRUNCATE is gone with it.
void TableCopy::truncated(std::uint32_t xid) {
    if (!under_way()) return;
    std::vector<std::uint64_t> lost;
    for (Range& range : ranges.ranges()) {
        if (range.snapshot == nullptr || !range.snapshot->sees(xid)) continue;
        if (range.state == RangeState::landed) {
            range.state = RangeState::pending;
            range.snapshot.reset();
        } else if (range.state == RangeState::open && windows.at(range.id)->pieces_landed) {
            lost.push_back(range.id);
        }
    }
    for (const auto id : lost) {
        if (!windows.contains(id)) continue;    // of several ranges
        windows.at(id)->pieces_landed = false;  // the TRUNCATE removes them
        give_up(id);
    }
    note_due = true;
    ranges.join();
}

/// Where the lane is at `shape_from` it has passed all that made the table what the stamp names:
/// `at` was taken when that had committed.
bool TableCopy::found(const std::shared_ptr<const TableShape>& seen, Lsn at, Lsn lane) {
    const std::string stamp = seen == nullptr ? "gone" : seen->stamp;
    if (seen != nullptr && shape != nullptr && stamp == shape->stamp) {
        if (shape->columns.empty()) shape = seen;  // of which a note knew the key alone
        return true;
    }
    if (stamp != next_stamp) {
        next_stamp = stamp;
        shape_from = at;
    }
    if (lane < shape_from) return false;
    next_stamp.clear();
    if (seen == nullptr) return true;
    const bool same_key =
        mode != CopyMode::ordered || (seen->key && seen->key->same_order(*shape->key));
    if (!same_key) {
        restart();
        return false;
    }
    shape = seen;
    return true;
}

void TableCopy::schema_changed() {
    ++schema_changes;
    if (under_way() && !prepared) {
        mode = CopyMode::unknown;
        shape.reset();
    }
    if (state == CopyState::indexing) {
        indexes.reset();
        next_index = 0;
    }
}

void TableCopy::failed(const FailedAt& at, const std::string& why) {
    ++failures;
    failed_at = at;
    last_error = why;
}

/// That other chunks of it can be read says nothing.
bool TableCopy::succeeded(const FailedAt& at) {
    const auto &failed = failed_at.lower, &now = at.lower;
    const bool same = failed == now || (failed != nullptr && now != nullptr && *failed == *now);
    if (failures != 0 && !failed_at.look && (at.look || !same)) return false;
    const bool any = failures != 0;
    failures = 0;
    last_error.clear();
    return any;
}

void TableCopy::is_prepared() {
    prepared = true;
    needs_truncate = false;
    state = CopyState::copying;
    started_at = std::chrono::system_clock::now();
    note_due = true;
    if (server_ordered() && !lenient && shape->key->equal_as_bytes)
        touched = std::make_shared<TouchedKeys>();
}

void TableCopy::give_up(std::uint64_t id) {
    const auto window = windows.find(id);
    const bool partly = window != windows.end() && window->second->pieces_landed;
    if (window != windows.end()) windows.erase(window);
    ranges.release(id);
    ranges.join();
    if (partly) touched.reset();
    if (partly && !replaces() && under_way()) restart();
}

void TableCopy::landed(Window& window, Lsn position) {
    const std::uint64_t id = window.id;
    windows.erase(id);
    if (window.cut) ranges.release_behind(*shape->key, id, *window.cut);
    bool any = false;
    for (Range& range : ranges.ranges()) {
        if (range.id != id) continue;
        range.state = RangeState::landed;
        range.snapshot = window.snapshot;
        range.passed_at = window.passed_at;
        range.id = 0;
        any = true;
    }
    if (!any) return;
    ++chunks;
    note_due = true;
    pass(position);
}

void TableCopy::restart() {
    windows.clear();
    ranges = RangeMap();
    rows = bytes = chunks = 0;
    mode = CopyMode::unknown;
    shape.reset();
    shape_from = 0;
    next_stamp.clear();
    places_version_ = 0;
    touched.reset();
    state = CopyState::fresh;
    prepared = false;
    needs_truncate = !lenient;
    note_due = true;
}

void TableCopy::pass(Lsn position) {
    if (state != CopyState::copying) return;
    const auto before = ranges.ranges().size();
    ranges.pass(position);
    note_due = note_due || ranges.ranges().size() != before;
    if (!ranges.all_done()) return;
    detail.clear();
    failures = 0;
    last_error.clear();
    note_due = true;
    if (create_indexes == CreateIndexes::never) {
        finish();
        return;
    }
    state = CopyState::indexing;
    indexes.reset();
    planning = false;
}

void TableCopy::finish() {
    state = CopyState::complete;
    finished_at = std::chrono::system_clock::now();
    detail = indexes == nullptr ? "" : indexes->left_out;
    indexes.reset();
    next_index = 0;
    note_due = true;
}

void TableCopy::index_done(const std::string& problem, const std::string& remedy) {
    if (!problem.empty()) {
        last_error += (last_error.empty() ? "" : "; ") + problem;
        last_error_hint += (last_error_hint.empty() ? "" : " ") + remedy;
    }
    if (++next_index >= indexes->indexes.size()) finish();
}

Report TableCopy::report() const {
    Report out;
    out.request = request;
    switch (state) {
        case CopyState::fresh:
            out.state = "pending";
            break;
        case CopyState::copying:
            out.state = detail.empty() ? "copying" : "waiting";
            break;
        case CopyState::indexing:
            out.state = "indexing";
            break;
        case CopyState::complete:
        case CopyState::gone:
            out.state = "complete";
            break;
        case CopyState::cancelled:
            out.state = "cancelled";
            break;
    }
    if (wants_reader() && failures >= kFailuresMax) out.state = "failed";
    if ((under_way() || state == CopyState::indexing) && request.paused) out.state = "paused";
    out.mode = mode == CopyMode::snapshot ? "snapshot" : (replaces() ? "lenient" : "ordered");
    out.detail = detail;
    out.last_error = last_error;
    out.last_error_hint = last_error_hint;
    out.rows = rows;
    out.bytes = bytes;
    out.chunks = chunks;
    out.retries = retries;
    if (mode == CopyMode::snapshot && !windows.empty())
        out.snapshot_held_seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                          windows.begin()->second->opened_at)
                .count();
    if (shape) {
        out.rows_estimate = shape->rows_estimate;
        out.bytes_estimate = shape->bytes_estimate;
    }
    out.started_at = started_at;
    out.finished_at = finished_at;
    return out;
}

}  // namespace fanout::backfill
