// See parking.hpp.
#include "sidecar/letters/parking.hpp"

#include <algorithm>
#include <chrono>

namespace fanout::letters {

Status Parking::load() {
    if (auto loaded = letters_.load(); !loaded.is_ok()) return loaded;
    last_ = letters_.last();
    if (!skips_.empty()) last_ = std::max(last_, skips_.rbegin()->first);
    return Status::ok();
}

bool Parking::refuse(const Position& at, const std::string& error, const std::string& hint) {
    if (at.commit_lsn == 0 || at.index == 0 || knows(at)) return false;
    if (letters_.parked() + refused_.size() >= kParkedMax) return false;
    refused_[at] = {error, hint};
    last_ = std::max(last_, at);
    return true;
}

Status Parking::park(Letter letter) {
    const auto refused = refused_.find(letter.at);
    if (letters_.has(letter.at)) {
        if (refused != refused_.end()) refused_.erase(refused);
        return Status::ok();
    }
    if (refused != refused_.end()) {
        letter.error = refused->second.error;
        letter.hint = refused->second.hint;
    } else if (const auto skip = skips_.find(letter.at); skip != skips_.end()) {
        letter.error = "skipped by " + skip->second;
        letter.attempts = 0;
    }
    letter.parked_at = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::system_clock::now().time_since_epoch())
                           .count();
    auto kept = letters_.put(std::move(letter));
    if (kept.is_ok() && refused != refused_.end()) refused_.erase(refused);
    return kept;
}

}  // namespace fanout::letters
