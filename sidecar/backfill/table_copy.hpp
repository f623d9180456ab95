// The copy of one table: what of it is where, and what that means for a change of the stream.
//
// docs/backfill.md has the argument that judge() and the transitions here are exact. Plain data
// with rules; Copier locks.
//
// INVARIANT: a window is opened only where the lane has passed every schema change that its
// snapshot sees, and is landed before the lane passes the next one. So what is written has the
// shape that the target's table has at that place of the stream.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "fanout/connector/abi.h"
#include "sidecar/backfill/chunk/block_share.hpp"
#include "sidecar/backfill/copy_row.hpp"
#include "sidecar/backfill/range_map.hpp"
#include "sidecar/backfill/request.hpp"
#include "sidecar/backfill/table_shape.hpp"
#include "sidecar/source/table_indexes.hpp"

namespace fanout::backfill {

/// A chunk between its snapshot and its rows' arrival at the target.
struct Window {
    std::uint64_t id = 0;
    Oid32 table = 0;
    std::shared_ptr<const Snapshot> snapshot;
    std::shared_ptr<const TableShape> shape;
    std::deque<std::shared_ptr<const Piece>> pieces;
    bool complete = false;            // no piece will follow
    bool pieces_landed = false;       // some may be at the target already
    Lsn passed_at = 0;                // of complete ones: the snapshot sees nothing behind it
    std::optional<Bound> cut;         // it ended before its range does
    std::optional<BlockShare> share;  // of a table without a usable key
    bool in_pieces = false;           // it ends with its range, and may land piece by piece
    /// The lane thread's: keys to which a change was applied that the snapshot does not see. Their
    /// rows here are of the past.
    std::set<KeyValues> changed;
    std::set<KeyValues> changing;  // by the transaction `changing_xid`, which may yet be void
    std::uint32_t changing_xid = 0;
    const std::chrono::steady_clock::time_point opened_at = std::chrono::steady_clock::now();

    /// The lane is in the midst of a transaction or not: what that changes comes behind the rows.
    bool is_outdated(const KeyValues& key, bool in_transaction) const {
        return changed.contains(key) || (!in_transaction && changing.contains(key));
    }
};

enum class Verdict : std::uint8_t {
    apply,              // as it came
    lenient,            // as it came; the row may be missing or there already
    drop,               // the copy has it, or will have it
    remove_old,         // only the delete of a key change
    insert_new,         // only its insert
    move_lenient,       // delete and insert, both lenient
    replace,            // its new row, in place of whatever is there
    move_onto,          // a lenient delete at its new key, then as it came
    move_onto_lenient,  // as that, and the row may be missing
    wait,               // land `window` first, then ask again
    unknown,            // it does not have the key that it should have
};

struct Judgement {
    Verdict verdict;
    std::uint64_t window = 0;
};

/// indexing: all rows are at the target, its indexes are not.
enum class CopyState : std::uint8_t { fresh, copying, indexing, complete, cancelled, gone };
enum class CopyMode : std::uint8_t { unknown, ordered, snapshot };

/// Which attempt failed: a look at the table, or the chunk that begins there.
struct FailedAt {
    bool look = false;
    std::shared_ptr<const KeyValues> lower;
};

struct TableCopy {
    /// It has failed, if so many attempts in succession did for a reason that lasts.
    static constexpr unsigned kFailuresMax = 5;

    Request request;
    CopyState state = CopyState::fresh;
    CopyMode mode = CopyMode::unknown;
    bool listed = false;          // the catalog asks for it, and says which rows and columns
    bool lenient = false;         // changes are applied while rows are copied over them
    bool foreign_rows = false;    // the target may have rows that the source does not have
    bool planning = false;        // a reader looks at its shape
    bool prepared = false;        // the target's table is there, and empty if it has to be
    bool needs_truncate = false;  // rows of an attempt before have to go first
    std::shared_ptr<const TableShape> shape;
    Lsn shape_from = 0;                // nothing is read, or made ready, before the lane is there
    std::string next_stamp;            // of what the table will be from there on, if not `shape`
    std::uint64_t schema_changes = 0;  // that the lane has met
    unsigned put_back = 0;             // chunks in succession, for the sake of `shape_from`
    RangeMap ranges;
    std::map<std::uint64_t, std::shared_ptr<Window>> windows;
    std::uint64_t rows = 0, bytes = 0, chunks = 0, retries = 0;
    std::uint64_t chunk_rows = 10'000;  // what the next chunk should have
    unsigned failures = 0;              // in succession, for a reason that lasts
    FailedAt failed_at;                 // the last of them
    std::string detail, last_error, last_error_hint;
    std::chrono::system_clock::time_point started_at{}, finished_at{};
    std::chrono::steady_clock::time_point retry_at{};
    bool careful = false;  // the next chunk: the source could not show a row of one
    bool note_due = true;
    CreateIndexes create_indexes = CreateIndexes::never;
    std::shared_ptr<const source::TableIndexes> indexes;  // to be made; null: not read yet
    std::size_t next_index = 0;                           // of them

    bool under_way() const { return state == CopyState::fresh || state == CopyState::copying; }

    /// Only the source knows what is in which range.
    bool server_ordered() const {
        return mode == CopyMode::ordered && shape && shape->key && shape->key->server_ordered();
    }
    /// What is read replaces what is there, and changes are applied meanwhile.
    bool replaces() const { return lenient || server_ordered(); }

    /// There is something to read at the source.
    bool wants_reader() const {
        return under_way() || (state == CopyState::indexing && indexes == nullptr);
    }

    /// What becomes of a change by transaction `xid`. May mark a key to be read again.
    Judgement judge(const fanout_change& change, std::uint32_t xid);
    /// Before a TRUNCATE is applied: the window to land first, or nothing; then the marks are set.
    std::optional<std::uint64_t> truncate_waits_for(std::uint32_t xid) const;
    void truncated(std::uint32_t xid);
    /// A reader has looked: the table is like this (null: gone), and whatever made it so has
    /// committed before `at`. True: the stream has come so far, and `shape` is that.
    bool found(const std::shared_ptr<const TableShape>& seen, Lsn at, Lsn lane);
    /// The lane meets a change of its schema: what was seen of the table and not used is void.
    void schema_changed();
    /// It has rows of an attempt before, to which no change is applied any more.
    bool has_stale_rows() const { return under_way() && !prepared && needs_truncate; }
    /// The lane's open transaction is void, and comes again.
    void void_changes();
    /// An attempt has failed, and will again.
    void failed(const FailedAt& at, const std::string& why);
    /// One has not. True: what had failed is over with that.
    bool succeeded(const FailedAt& at);
    /// A window will never land.
    void give_up(std::uint64_t window);
    /// The last piece of a window is at the target, the lane at `position`.
    void landed(Window& window, Lsn position);
    /// From the beginning, emptying the target's table.
    void restart();
    /// The lane is at `position`.
    void pass(Lsn position);
    /// Nothing is left to do.
    void finish();
    /// The next index is made, or will not be: then `problem` says why, and `remedy` what to do.
    void index_done(const std::string& problem, const std::string& remedy);

    std::string note(std::uint32_t subscription) const;
    /// False: the note is of another subscription, or not understood; then nothing was taken.
    bool take_note(const std::string& text, std::uint32_t subscription);
    Report report() const;

  private:
    const std::vector<std::size_t>* key_places(const fanout_table& table);
    Judgement judge_beside_foreign(const fanout_change& change) const;
    Judgement judge_at(std::size_t range, std::uint32_t xid) const;
    Judgement judge_beside_windows(const fanout_change& change, const KeyValues& from,
                                   const KeyValues& to, std::uint32_t xid);
    Judgement judge_unordered(const fanout_change& change, std::uint32_t xid) const;
    Judgement judge_move(const fanout_change& change, const KeyValues& from, const KeyValues& to,
                         std::uint32_t xid);

    std::uint64_t places_version_ = 0;  // of the table, for which `places_` are
    std::vector<std::size_t> places_;
};

}  // namespace fanout::backfill
