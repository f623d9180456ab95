// Which changes a lane leaves out, and why: refused by the target under on_reject = park, or named
// by a person to fanout.skip(). Lane thread; lives as long as the lane.
#pragma once

#include <map>
#include <string>

#include "sidecar/letters/dead_letters.hpp"

namespace fanout::letters {

/// More than this and the subscription stops: then the table does not fit, not a row.
inline constexpr std::size_t kParkedMax = 10'000;

class Parking {
  public:
    /// `skips`: positions a person wants left out, and who.
    Parking(DeadLetters& letters, const std::map<Position, std::string>& skips)
        : letters_(letters), skips_(skips) {}

    Status load();

    /// The target refuses the change: from now on it is left out. False if it cannot be: the
    /// position is unknown or has been left out already, or there are too many.
    bool refuse(const Position& at, const std::string& error, const std::string& hint);
    /// The change is to be left out. Cheap for changes behind all of those.
    bool knows(const Position& at) const {
        return at <= last_ && (refused_.contains(at) || skips_.contains(at) || letters_.has(at));
    }
    /// Keeps it, durably, unless it is kept already.
    Status park(Letter letter);

  private:
    struct Reason {
        std::string error, hint;
    };
    DeadLetters& letters_;
    const std::map<Position, std::string>& skips_;
    std::map<Position, Reason> refused_;
    Position last_{};
};

}  // namespace fanout::letters
