// The changes of one subscription that were put aside because its target will not have them: a file
// each in the state directory, durable before the lane's cursor passes them.
//
//   letters/<subscription id>/<commit LSN>-<index>.letter   a line of JSON, then the records' bytes
//   letters/<subscription id>/<commit LSN>-<index>.fate     what became of it since, a line of JSON
//
// The lane writes, the control thread reads what to report; a mutex stands between. The bytes of
// the records are opaque here, and never in memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "sidecar/letters/row_key.hpp"

namespace fanout::letters {

enum class LetterState : std::uint8_t {
    parked,
    superseded,  // a later change of its row was delivered
    delivered,   // by a redrive; remembered until the source knows
    lost,        // the source asks for it, but it is not here
};
const char* state_name(LetterState state);

/// The operation of a row that was there already and was refused when it was copied.
inline constexpr const char* kCopyOperation = "copy";

struct Letter {
    Position at;
    LetterState state = LetterState::parked;
    Position superseded_by;  // zero: by nothing
    PgTime commit_time = 0;
    std::uint32_t xid = 0;
    Oid32 table = 0;
    std::string schema_name, table_name, operation;
    std::string error, hint;
    std::int64_t parked_at = 0;  // microseconds since 1970
    std::uint32_t attempts = 1;
    bool is_row = true;  // counts among the rows
    RowKey key;          // of a row
};

/// What delivering it later needs: the change as it came and the body of its table's relation
/// record, as it came with `epoch` and `relation_flags`. Both empty if the change is none that can
/// be delivered by itself.
struct LetterRecords {
    std::uint32_t epoch = 0;
    std::uint8_t relation_flags = 0;
    std::span<const std::uint8_t> relation, change;
};

/// A letter's records in its file.
class OpenLetter {
  public:
    OpenLetter() = default;
    ~OpenLetter();
    OpenLetter(const OpenLetter&) = delete;
    OpenLetter& operator=(const OpenLetter&) = delete;

    Status open(const std::string& path);
    const LetterRecords& records() const { return records_; }

  private:
    void* bytes_ = nullptr;
    std::size_t size_ = 0;
    LetterRecords records_;
};

class DeadLetters {
  public:
    DeadLetters(const std::string& state_directory, std::uint32_t subscription);

    // ---- lane thread; what changes something is durable when it returns

    /// Reads what earlier runs have put aside. corruption: a file is not what was written.
    Status load();
    bool has(const Position& at) const;
    /// The highest position that is kept; zero if none.
    Position last() const;
    /// Without its records; those are opened.
    std::optional<Letter> find(const Position& at) const;
    Status open(const Position& at, OpenLetter& out) const;
    /// Also: nothing is superseded by this change any more, it was not delivered.
    Status put(Letter letter, const LetterRecords& records);

    /// This row was refused when it was copied, and is parked.
    bool has_copy(Oid32 table, const RowKey& key) const;

    /// Letters that a change may supersede. Cheap.
    bool any_waits() const { return waiting_ != 0; }
    /// `at` is on its way to the target: what waits of the same row, and is older, is superseded.
    /// `key` null: it is about the whole table.
    Status supersede(Oid32 table, const RowKey* key, const Position& at);
    /// A redrive ends: the target has it, or has refused it again.
    Status delivered(const Position& at);
    Status refused_again(const Position& at, const std::string& error, const std::string& hint);
    /// Under way: counted as being in hand, until one of the two or none_in_hand().
    void take_in_hand(const Position& at);
    void none_in_hand();
    /// The source asks for what is not here.
    void report_lost(const Position& at);
    /// The source knows of every delivery but these.
    void forget_delivered_but(const std::set<Position>& asked_for);

    // ---- any thread

    /// Those that are rows and not in hand.
    std::uint64_t rows_parked() const;
    std::size_t parked() const;
    /// Letters put since `version`; `version` becomes the present one.
    std::vector<Letter> changed_since(std::uint64_t& version) const;
    /// The subscription is gone, and they with it.
    void remove_all();

  private:
    struct Entry {
        Letter letter;
        std::uint64_t version = 0;
    };
    std::string path_of(const Position& at, const char* suffix) const;
    Status load_file(const std::string& path);
    Status load_fates();
    Status save_fate(const Letter& letter) const;
    Status change(const Position& at, Letter changed);
    Status revive(const Position& by);
    void enter(Letter letter);

    const std::string directory_;
    mutable std::mutex mutex_;
    std::map<Position, Entry> entries_;
    std::optional<Position> in_hand_;
    std::uint64_t version_ = 0;
    std::atomic<std::size_t> waiting_{0};  // parked rows and truncations
};

}  // namespace fanout::letters
