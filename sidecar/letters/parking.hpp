// Which changes a lane leaves out, and why: refused by the target under on_reject = park, or named
// by a person to fanout.skip(). And which of them are to be delivered after all: those named to
// fanout.redrive(). Lane thread; lives as long as the lane.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "sidecar/letters/dead_letters.hpp"

namespace fanout::letters {

/// More than this and the subscription stops: then the table does not fit, not a row.
inline constexpr std::size_t kParkedMax = 10'000;

struct Reason {
    std::string error, hint;
};

class Parking {
  public:
    /// `skips`: positions a person wants left out, and who. `redrives`: wants delivered.
    Parking(DeadLetters& letters, const std::map<Position, std::string>& skips,
            std::set<Position> redrives = {})
        : letters_(letters), skips_(skips), redrives_(std::move(redrives)) {}

    Status load();

    /// The target refuses the change: from now on it is left out. False if it cannot be: the
    /// position is unknown or has been left out already, or there are too many.
    bool refuse(const Position& at, const std::string& error, const std::string& hint);
    /// The change is to be left out. Cheap for changes behind all of those.
    bool knows(const Position& at) const {
        return at <= last_ && (refused_.contains(at) || skips_.contains(at) || letters_.has(at));
    }
    /// Keeps it, durably, unless it is kept already.
    Status park(Letter letter, const LetterRecords& records);

    /// The target refuses a row that was copied, known by its values alone. `may_pass`: the stream
    /// has yet to remove what it stands in the way of. False: not left out, or not yet.
    bool refuse_copy(Oid32 table, std::uint64_t row, Reason reason, bool may_pass);
    bool any_copy_refused() const { return !refused_copies_.empty(); }
    /// The rows that were read with it are at the target: who copies the table again, tries again.
    void copies_landed(Oid32 table);
    /// Null: the row is to be written.
    const Reason* copy_refused(Oid32 table, std::uint64_t row) const;

    /// The next that is to be delivered, in the order of the source.
    std::optional<Position> next_redrive() const;
    void redrive_ended(const Position& at) { redrives_.erase(at); }

  private:
    struct RefusedCopy {
        Reason reason;
        unsigned refusals = 0;
        bool left_out = false;
    };
    DeadLetters& letters_;
    const std::map<Position, std::string>& skips_;
    std::set<Position> redrives_;
    std::map<Position, Reason> refused_;
    std::map<std::pair<Oid32, std::uint64_t>, RefusedCopy> refused_copies_;
    Position last_{};
};

}  // namespace fanout::letters
