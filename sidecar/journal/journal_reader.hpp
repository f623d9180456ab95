// A lane's view of the journal: records in order, straight from the mapped segment files.
//
// One thread uses a reader (its lane); interrupt() may come from any thread. The reader never
// touches a byte behind what the journal has published as appended, verifies every record's
// checksum, and puts a record that came in pieces together again.
//
// Lifetime of views: a RecordView stays valid until release() lets it go, also across the end of a
// segment and also if retention removes the file meanwhile. A lane calls release() when it holds no
// view of earlier records any more, normally after each flush.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "fanout/wire/record_reader.hpp"

namespace fanout::journal {

class Doorbell;
class Segment;
class SegmentCatalog;
class SegmentMapping;
class WholeRecord;

enum class ReadOutcome : std::uint8_t {
    record,   // `out` has the next record
    at_end,   // nothing more has been appended: flush, then wait()
    trimmed,  // retention removed what comes next: the subscription needs a resync; see status()
    failed,   // corruption or an io error; see status(). Seek again, or give up
};

enum class WakeReason : std::uint8_t { data, timeout, interrupted };

class JournalReader {
  public:
    JournalReader(SegmentCatalog& catalog, Doorbell& doorbell);
    ~JournalReader();
    JournalReader(const JournalReader&) = delete;
    JournalReader& operator=(const JournalReader&) = delete;

    /// Goes to the first transaction whose commit LSN is `from` or higher; also the way to begin
    /// again after a failure. For a cursor on a delivered transaction: commit LSN + 1, or its end
    /// LSN. Drops all views. False: the journal no longer reaches back to `from` (needs resync);
    /// status() names both positions.
    ///
    /// Up to that transaction next() returns relation records only (those in force, then those
    /// passed on the way), each of which replaces the one before for the same table; nothing else
    /// that lies before `from` is returned.
    bool seek(Lsn from);

    /// The next record, verified. Kinds are never `continuation`. An `abort` voids everything
    /// since its `begin`; the same transaction comes again later. Relation records may also stand
    /// between transactions.
    ReadOutcome next(wire::RecordView& out);

    /// Sleeps until more than what next() has seen is there, the timeout passes, or interrupt()
    /// was called. Returns at once if there is more already or an interrupt is pending.
    WakeReason wait(std::chrono::microseconds timeout);

    /// Any thread: makes the present or the next wait() return `interrupted`, once.
    void interrupt();

    /// How many records next() has returned: the number of the last one.
    std::uint64_t records() const { return records_; }

    /// Gives back what only views of records before number `first_kept` point to.
    void release_before(std::uint64_t first_kept);
    /// Gives back what views of all records so far point to.
    void release() { release_before(records_ + 1); }

    /// Bytes that have been appended behind this reader.
    std::uint64_t backlog_bytes() const;

    const Status& status() const { return status_; }

  private:
    /// A record that comes in pieces, while it does.
    struct Group {
        std::unique_ptr<WholeRecord> whole;  // null: its pieces are passed over
        std::uint64_t total = 0;             // 0 = none
        std::uint64_t next = 0;
    };
    enum class Step : std::uint8_t { deliver, pass, fail };

    ReadOutcome find_start();
    ReadOutcome enter_successor();
    bool enter(std::shared_ptr<Segment> segment);
    Step take(wire::RecordView& record);
    Step take_piece(wire::RecordView& record);
    Step begin_group(wire::Bytes bytes, std::uint64_t total);
    Step end_group(wire::RecordView& record);
    void let_go_passed();
    bool is_wanted(wire::Kind kind, std::uint8_t flags, Lsn lsn);
    ReadOutcome fail(Status status);
    ReadOutcome fail_trimmed();
    ReadOutcome refuse(std::uint64_t file_offset, const char* why);

    SegmentCatalog& catalog_;
    Doorbell& doorbell_;
    std::shared_ptr<Segment> segment_;         // where the reader stands
    std::shared_ptr<SegmentMapping> mapping_;  // its bytes
    /// What views may point into, and the last record that can have one.
    template <typename Memory>
    struct Kept {
        std::uint64_t last_record;
        Memory memory;
    };
    std::deque<Kept<std::shared_ptr<SegmentMapping>>> retired_;
    std::deque<Kept<std::unique_ptr<WholeRecord>>> whole_records_;
    std::uint64_t records_ = 0;
    Group group_;
    Status status_;
    ReadOutcome failed_outcome_ = ReadOutcome::failed;
    const char* refusal_ = nullptr;  // set with Step::fail, unless trouble_ is
    Status trouble_;                 // of this side, not of the journal
    Lsn from_ = 0;
    std::uint64_t position_ = 0;       // logical offset of the next record
    std::uint64_t resident_from_ = 0;  // file offset: what lies before it was let go
    std::uint64_t preamble_next_ = 0;  // file offset of the next preamble record; 0 = none left
    bool skipping_ = true;             // nothing at or behind from_ has been seen yet
    std::atomic<bool> interrupted_{false};
};

}  // namespace fanout::journal
