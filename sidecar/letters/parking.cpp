// See parking.hpp.
#include "sidecar/letters/parking.hpp"

#include <algorithm>
#include <chrono>

namespace fanout::letters {
namespace {

/// What may pass by itself is tried so often before it is left out.
constexpr unsigned kCopyRefusalsMax = 4;

std::int64_t now_microseconds() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

Status Parking::load() {
    if (auto loaded = letters_.load(); !loaded.is_ok()) return loaded;
    letters_.forget_delivered_but(redrives_);
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

Status Parking::park(Letter letter, const LetterRecords& records) {
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
    letter.parked_at = now_microseconds();
    auto kept = letters_.put(std::move(letter), records);
    if (kept.is_ok() && refused != refused_.end()) refused_.erase(refused);
    return kept;
}

bool Parking::refuse_copy(Oid32 table, std::uint64_t row, Reason reason, bool may_pass) {
    auto& refused = refused_copies_[{table, row}];
    if (refused.left_out || letters_.parked() + refused_copies_.size() > kParkedMax) return false;
    refused.reason = std::move(reason);
    refused.left_out = ++refused.refusals >= kCopyRefusalsMax || !may_pass;
    return refused.left_out;
}

void Parking::copies_landed(Oid32 table) {
    std::erase_if(refused_copies_, [table](const auto& entry) {
        return entry.first.first == table && entry.second.left_out;
    });
}

const Reason* Parking::copy_refused(Oid32 table, std::uint64_t row) const {
    const auto found = refused_copies_.find({table, row});
    return found == refused_copies_.end() || !found->second.left_out ? nullptr
                                                                     : &found->second.reason;
}

std::optional<Position> Parking::next_redrive() const {
    return redrives_.empty() ? std::optional<Position>() : *redrives_.begin();
}

}  // namespace fanout::letters
