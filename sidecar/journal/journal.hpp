// The stream's local store: an append-only log of the ring's own records in segment files.
//
// Owns the directory, the segments, the sync thread and the retention table. Three kinds of
// callers: the drain thread appends; lanes read through JournalReader; the control thread trims.
// Two ends, never mixed: end_lsn() is appended and visible to lanes, durable_end_lsn() is fsynced
// and is what the slot may be confirmed to. A failed sync is final: see failure().
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "sidecar/journal/files.hpp"
#include "sidecar/journal/journal_options.hpp"
#include "sidecar/journal/journal_reader.hpp"
#include "sidecar/journal/retention.hpp"
#include "sidecar/journal/stream_state.hpp"

namespace fanout::journal {

class JournalWriter;
class Syncer;

/// Whole records to append, checked, and where the stream stands behind them. Made by
/// drain::SpanWalk; the bytes stay the caller's until append() has returned ok.
struct AppendPlan {
    std::vector<wire::Bytes> runs;       // to append, in order
    std::vector<wire::Bytes> relations;  // relation records or pieces of them among `runs`
    StreamState state_after;
    Lsn new_end_lsn = 0;  // end_lsn that becomes durable with these bytes; 0 = none in them

    void clear(const StreamState& state) {
        runs.clear();
        relations.clear();
        state_after = state;
        new_end_lsn = 0;
    }
};

/// What opening found, for the log.
struct RecoveryReport {
    std::uint64_t segments = 0;
    std::uint64_t records_scanned = 0;
    std::uint64_t bytes_cut = 0;  // torn tail
    std::string cut_reason;       // empty if nothing was cut
    bool open_transaction = false;
};

class Journal {
  public:
    /// Opens or creates `directory`, recovers, fsyncs what is kept, starts the sync thread.
    /// Refuses (fatal) a journal of another source, and (corruption) damage that a crash cannot
    /// explain, naming file and offset.
    static Result<std::unique_ptr<Journal>> open(const std::filesystem::path& directory,
                                                 const SourceIdentity& identity,
                                                 const JournalOptions& options,
                                                 std::shared_ptr<Files> files = posix_files());
    /// Syncs what is appended unless a sync has failed. Readers must be gone.
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    const RecoveryReport& recovery() const { return recovery_; }
    const std::filesystem::path& directory() const { return directory_; }

    // ---- drain thread ----------------------------------------------------------------------

    /// A worker will send every transaction that commits at or after `start_lsn`. Refuses a gap
    /// (start_lsn beyond end_lsn), begins an empty journal at start_lsn, voids a transaction that
    /// an earlier attachment left unfinished, and makes all of it durable.
    Status begin_attachment(Lsn start_lsn, std::uint32_t epoch);

    /// Rolls to a new segment if it is time. io: no room (nothing has changed; try again later).
    Status prepare_append();

    /// True when the next transaction boundary should end the append: a roll is due, or a limit
    /// is reached.
    bool wants_boundary() const;

    /// One write per run. On failure nothing has changed and the same plan may be tried again.
    Status append(const AppendPlan& plan);

    const StreamState& state() const;

    // ---- any thread ------------------------------------------------------------------------

    /// The LSN from which the journal is complete: every transaction of the stream that commits
    /// at or after it (and before end_lsn()) is here. 0 while nothing has ever been attached.
    Lsn first_lsn() const;
    Lsn end_lsn() const;
    /// Give it to fanout.attach(); 0 while nothing has ever been attached.
    Lsn durable_end_lsn() const;
    /// Bytes in files, room reserved for later not counted.
    std::uint64_t bytes() const;
    std::uint64_t appended_bytes_total() const;

    std::unique_ptr<JournalReader> new_reader();

    /// Syncs everything appended so far and waits for it.
    Status sync_now();

    /// Called on the sync thread after each group sync; replaced or cleared by another call, which
    /// returns only when the old listener is not running.
    void set_durable_listener(std::function<void(Lsn durable_end_lsn)> listener);

    /// Not ok once a sync has failed. Then: stop the drain and the lanes, destroy the readers,
    /// call discard_unsynced(), leave the process; what was lost is decoded again.
    Status failure() const;

    /// Cuts the files back to what is known to be on disk. No reader may exist.
    Status discard_unsynced();

    // ---- retention (any thread) --------------------------------------------------------------

    /// Transactions that commit at or after `from` are wanted by `subscription`. Set before the
    /// first trim() for every subscription, and again whenever its durable cursor moves.
    void want(SubscriptionId subscription, Lsn from);
    void forget(SubscriptionId subscription);

    /// The limits of `options` from now on, and the segment size that goes with them; the rest of
    /// `options` is not looked at.
    void set_limits(const JournalOptions& options);
    /// Four fifths of bytes_max are used: nothing should add to it that can wait.
    bool near_limit() const;

    /// Removes segments that nobody wants; over the limit with action needs_resync also those that
    /// only laggards want, and forgets the laggards.
    TrimReport trim();

    /// Drain thread: over a limit with action hold, and trimming did not help. Never inside a
    /// transaction: lanes cannot get past it before it is whole, so a limit stretches for one.
    bool must_hold();

  private:
    Journal(std::filesystem::path directory, SourceIdentity identity, JournalOptions options,
            std::shared_ptr<Files> files);
    bool over_limit() const;

    std::filesystem::path directory_;
    SourceIdentity identity_;
    JournalOptions options_;
    std::atomic<std::uint64_t> bytes_max_{0};
    std::shared_ptr<Files> files_;
    std::unique_ptr<SegmentCatalog> catalog_;
    std::unique_ptr<Doorbell> doorbell_;
    std::unique_ptr<JournalWriter> writer_;
    std::unique_ptr<Syncer> syncer_;
    Retention retention_;
    std::mutex trim_mutex_;
    bool over_limit_ = false;  // drain thread: as must_hold() last saw it
    RecoveryReport recovery_;
};

}  // namespace fanout::journal
