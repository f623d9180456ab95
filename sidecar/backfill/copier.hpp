// All copies of one subscription: hands ranges to readers, holds the lane for their snapshots, and
// keeps what they read until the lane has written it.
//
// Made by a delivery at its target, with the progress found there, and gone with it: whatever was
// under way is read again. The lane thread calls; N reader threads work; one mutex. A reader never
// touches the target, the lane never the source.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sidecar/backfill/request.hpp"
#include "sidecar/backfill/table_copy.hpp"
#include "sidecar/source/source_connection.hpp"
#include "sidecar/source/wake_fd.hpp"

namespace fanout::backfill {

struct CopierParts {
    std::string conninfo;
    std::string owner;
    std::string directory;  // for large values on their way
    std::uint32_t subscription = 0;
    std::function<void()> wake_lane;         // any thread
    std::function<std::string()> held_back;  // why no chunk may be begun now; empty: it may
    const std::atomic<bool>* stop_requested = nullptr;
    bool always_lenient = false;  // the target's cursor and the progress are not one
    bool takes_indexes = false;   // the target does
    bool may_repeat = false;      // the target may have got more than the notes know
};

/// Something the lane has to write.
struct Landing {
    std::uint64_t window = 0;
    Oid32 table = 0;
    std::shared_ptr<const TableShape> shape;
    std::shared_ptr<const Piece> piece;  // null: only the end of the window
    std::shared_ptr<const Window> of;
    bool lenient = false;
    bool last = false;
    std::shared_ptr<const TouchedKeys> touched;  // not null: only rows of these may be there
};

/// A table whose target has to be made ready.
struct Preparation {
    Oid32 table = 0;
    std::shared_ptr<const TableShape> shape;
    bool must_be_empty = false;
    bool truncate = false;
};

/// An index to make at the target.
struct IndexTask {
    Oid32 table = 0;
    std::shared_ptr<const TableShape> shape;
    std::shared_ptr<const source::TableIndexes> of;
    std::size_t number = 0;
    bool own_tables_only = false;
    const source::IndexDefinition& index() const { return of->indexes[number]; }
};

using Notes = std::map<std::string, std::string>;  // by name: the table's OID

class Copier {
  public:
    /// `notes`: the progress that was found.
    Copier(CopierParts parts, const Notes& notes, Plan plan);
    ~Copier();
    Copier(const Copier&) = delete;
    Copier& operator=(const Copier&) = delete;

    // ---- lane thread

    /// Something waits for a commit boundary, the lane having passed `position`.
    bool attention(Lsn position) const { return attention_ || position >= next_pass_; }
    /// No table is being copied.
    bool idle() const { return !busy_; }
    /// Not: judge() would always say `apply`.
    bool judges() const { return judges_; }
    void set_plan(const Plan& plan);
    /// A table of the subscription that the stream announces.
    void met(const fanout_table& table);
    /// A change of its schema. True: what the target has of it must not be in the way.
    bool schema_changes(Oid32 table);
    /// Rows of it are yet to come.
    bool copies(Oid32 table) const;

    Judgement judge(const fanout_change& change, std::uint32_t xid);
    /// Before a TRUNCATE of a table: the window to land first, or nothing; then it may go on.
    std::optional<std::uint64_t> truncate_waits_for(Oid32 table, std::uint32_t xid);
    /// False: the table is not at the target yet and the TRUNCATE is of no use.
    bool truncated(Oid32 table, std::uint32_t xid);
    /// The transaction whose changes were judged last is void.
    void transaction_is_void();
    /// Sleeps until the window has something to land, is given up, or the lane has to stop.
    void wait_for(std::uint64_t window);
    /// An open window of that table, or of any (0), if there is one.
    std::optional<std::uint64_t> any_open(Oid32 table) const;

    std::optional<Preparation> next_preparation();
    void prepared(Oid32 table);
    std::optional<Landing> next_landing(std::optional<std::uint64_t> window);
    /// The rows of it are at the connector; the note that follows says so.
    void landed(const Landing& landing, Lsn position);
    void pass(Lsn position);
    /// An index to make now, the lane having passed `position`; its table shows that.
    std::optional<IndexTask> next_index(Lsn position);
    /// With a `problem`, it is not made and will not be.
    void index_done(const IndexTask& task, const std::string& problem, const std::string& remedy);
    bool has_due_notes() const;
    /// Notes that have to be put, null text: it goes.
    std::vector<std::pair<std::string, std::optional<std::string>>> due_notes();
    /// Stands still for a moment, so that readers can take their snapshots.
    void hold();
    /// reports() would say something new.
    bool has_news() const { return news_; }
    /// A copy has begun or ended: worth telling at once.
    bool has_turned() const { return turned_; }
    void told() { news_ = turned_ = false; }
    std::vector<Report> reports() const;

  private:
    friend class Reader;
    struct Hold {
        bool on = false;
        std::uint64_t number = 0;
        unsigned waiting = 0;   // readers that want one
        unsigned expected = 0;  // readers that have not answered
    };

    TableCopy* find(Oid32 table);
    void accept(const Request& request);
    void settle_states();
    void forget(TableCopy& copy);
    void ask_lane();
    std::shared_ptr<Window> find_window(std::uint64_t id, TableCopy** copy = nullptr);
    bool has_room() const;
    unsigned windows_max() const { return 2 * options_.workers + 1; }

    const CopierParts parts_;
    const std::shared_ptr<PieceStore> store_ = std::make_shared<PieceStore>();
    source::WakeFd stop_fd_;
    std::atomic<bool> attention_{true};
    std::atomic<bool> busy_{false}, judges_{false};
    std::atomic<bool> news_{true}, turned_{true};
    std::atomic<Lsn> next_pass_{~Lsn{0}};
    std::atomic<bool> stopping_{false};

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Options options_;                                       // with mutex_
    std::map<Oid32, TableCopy> tables_;                     // with mutex_
    std::vector<Oid32> gone_;                               // with mutex_: whose notes go
    Lsn lane_at_ = 0;                                       // with mutex_: has passed
    Hold hold_;                                             // with mutex_
    std::uint64_t lane_waits_for_ = 0;                      // with mutex_: a window
    std::uint64_t next_id_ = 1;                             // with mutex_
    std::chrono::steady_clock::time_point wal_asked_at_{};  // with mutex_
    bool short_of_wal_ = false;  // with mutex_: the slot is near its limit
    unsigned reading_ = 0;       // with mutex_: readers in the midst of a COPY
    std::chrono::steady_clock::time_point free_at_{};  // with mutex_: by the rate limits
    std::vector<std::thread> readers_;
};

}  // namespace fanout::backfill
