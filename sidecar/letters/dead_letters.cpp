// See dead_letters.hpp.
//
// Whether a later change of its row was delivered is not known when that change is read: the target
// may refuse it, too. So a letter is superseded before the change goes out, and is parked again
// once that has become a letter itself. Whoever reads the change anew supersedes anew.
#include "sidecar/letters/dead_letters.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "sidecar/letters/letter_file.hpp"
#include "sidecar/state/durable_file.hpp"

namespace fanout::letters {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLetterSuffix = ".letter";
constexpr const char* kFateSuffix = ".fate";

Status damaged(const std::string& path, const char* why) {
    return Status::corruption("the dead letter " + path + " is damaged (" + why +
                              "): move it away, its change is then delivered again or is lost");
}

std::string_view text_of(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool waits(const Letter& letter) {
    return letter.state == LetterState::parked && letter.is_row;
}

}  // namespace

const char* state_name(LetterState state) {
    switch (state) {
        case LetterState::superseded:
            return "superseded";
        case LetterState::delivered:
            return "delivered";
        case LetterState::lost:
            return "lost";
        case LetterState::parked:
            break;
    }
    return "parked";
}

OpenLetter::~OpenLetter() {
    if (bytes_ != nullptr) ::munmap(bytes_, size_);
}

Status OpenLetter::open(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat facts {};
    if (file < 0 || ::fstat(file, &facts) != 0) {
        const auto failed = Status::io("cannot read " + path + ": " + std::strerror(errno));
        if (file >= 0) ::close(file);
        return failed;
    }
    size_ = static_cast<std::size_t>(facts.st_size);
    void* bytes = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    if (bytes == MAP_FAILED) return Status::io("cannot map " + path + ": " + std::strerror(errno));
    bytes_ = bytes;
    const auto found = find_records(static_cast<const std::uint8_t*>(bytes_), size_, records_);
    return found.is_ok() ? found : damaged(path, found.text().c_str());
}

DeadLetters::DeadLetters(const std::string& state_directory, std::uint32_t subscription)
    : directory_(state_directory + "/letters/" + std::to_string(subscription)) {}

std::string DeadLetters::path_of(const Position& at, const char* suffix) const {
    return fmt::format("{}/{:016X}-{}{}", directory_, at.commit_lsn, at.index, suffix);
}

Status DeadLetters::load() {
    {
        const std::lock_guard lock(mutex_);
        entries_.clear();
        waiting_ = 0;
    }
    std::error_code missing;
    for (const auto& file : fs::directory_iterator(directory_, missing))
        if (auto loaded = load_file(file.path().string()); !loaded.is_ok()) return loaded;
    return load_fates();
}

Status DeadLetters::load_file(const std::string& path) {
    Letter letter;
    try {
        if (path.ends_with(kLetterSuffix)) {
            letter = read_letter(path);
        } else if (path.ends_with(kFateSuffix)) {
            // Of a letter that was delivered only this is left.
            unsigned long long lsn = 0, index = 0;
            const std::string name = fs::path(path).stem().string();
            if (std::sscanf(name.c_str(), "%llX-%llu", &lsn, &index) != 2) return Status::ok();
            letter.at = {lsn, index};
            read_fate(path, letter);
            if (letter.state != LetterState::delivered) return Status::ok();
        } else {
            return Status::ok();
        }
    } catch (const std::exception& e) {
        return damaged(path, e.what());
    }
    const std::lock_guard lock(mutex_);
    // A letter that was delivered and not yet removed is removed now.
    if (const auto known = entries_.find(letter.at); known != entries_.end()) {
        ::unlink(path_of(letter.at, kLetterSuffix).c_str());
        letter.state = LetterState::delivered;
    }
    enter(std::move(letter));
    return Status::ok();
}

/// What became of them, except of what was only on its way.
Status DeadLetters::load_fates() {
    const std::lock_guard lock(mutex_);
    for (auto& [at, entry] : entries_) {
        const std::string path = path_of(at, kFateSuffix);
        if (entry.letter.state == LetterState::delivered || !fs::exists(path)) continue;
        try {
            read_fate(path, entry.letter);
        } catch (const std::exception& e) {
            return damaged(path, e.what());
        }
    }
    waiting_ = 0;
    for (auto& [at, entry] : entries_) {
        auto& letter = entry.letter;
        const auto by = entries_.find(letter.superseded_by);
        if (by != entries_.end() && by->second.letter.state != LetterState::delivered) {
            letter.state = LetterState::parked;
            letter.superseded_by = {};
        }
        waiting_ += waits(letter) ? 1 : 0;
    }
    return Status::ok();
}

bool DeadLetters::has(const Position& at) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(at);
    return found != entries_.end() && found->second.letter.state != LetterState::lost;
}

Position DeadLetters::last() const {
    const std::lock_guard lock(mutex_);
    return entries_.empty() ? Position{} : entries_.rbegin()->first;
}

std::optional<Letter> DeadLetters::find(const Position& at) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(at);
    return found == entries_.end() ? std::optional<Letter>() : found->second.letter;
}

Status DeadLetters::open(const Position& at, OpenLetter& out) const {
    return out.open(path_of(at, kLetterSuffix));
}

Status DeadLetters::put(Letter letter, const LetterRecords& records) {
    std::error_code failed;
    fs::create_directories(directory_, failed);
    const std::string header = header_line(letter, records);
    const std::string_view parts[] = {header, text_of(records.relation), text_of(records.change)};
    if (auto written = state::replace_file(path_of(letter.at, kLetterSuffix), parts);
        !written.is_ok())
        return written;
    const Position at = letter.at;
    {
        const std::lock_guard lock(mutex_);
        enter(std::move(letter));
    }
    return revive(at);
}

/// With the mutex.
void DeadLetters::enter(Letter letter) {
    const Position at = letter.at;
    if (const auto old = entries_.find(at); old != entries_.end() && waits(old->second.letter))
        --waiting_;
    if (waits(letter)) ++waiting_;
    entries_[at] = {std::move(letter), ++version_};
}

Status DeadLetters::save_fate(const Letter& letter) const {
    return state::replace_file(path_of(letter.at, kFateSuffix), fate_line(letter));
}

/// On disk, then here.
Status DeadLetters::change(const Position& at, Letter changed) {
    changed.at = at;
    if (auto saved = save_fate(changed); !saved.is_ok()) return saved;
    const std::lock_guard lock(mutex_);
    enter(std::move(changed));
    return Status::ok();
}

Status DeadLetters::supersede(Oid32 table, const RowKey* key, const Position& at) {
    std::vector<Letter> changed;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [older, entry] : entries_) {
            if (older >= at) break;
            const auto& letter = entry.letter;
            if (!waits(letter) || letter.table != table) continue;
            if (key == nullptr || may_be_one_row(letter.key, *key)) changed.push_back(letter);
        }
    }
    for (auto& letter : changed) {
        letter.state = LetterState::superseded;
        letter.superseded_by = at;
        if (auto saved = change(letter.at, letter); !saved.is_ok()) return saved;
    }
    return Status::ok();
}

/// The change `by` was not delivered: it supersedes nothing.
Status DeadLetters::revive(const Position& by) {
    std::vector<Letter> changed;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [at, entry] : entries_)
            if (entry.letter.state == LetterState::superseded && entry.letter.superseded_by == by)
                changed.push_back(entry.letter);
    }
    for (auto& letter : changed) {
        letter.state = LetterState::parked;
        letter.superseded_by = {};
        if (auto saved = change(letter.at, letter); !saved.is_ok()) return saved;
    }
    return Status::ok();
}

Status DeadLetters::delivered(const Position& at) {
    auto letter = find(at);
    if (!letter) return Status::ok();
    if (letter->is_row)
        if (auto saved = supersede(letter->table, &letter->key, at); !saved.is_ok()) return saved;
    letter->state = LetterState::delivered;
    if (auto saved = change(at, std::move(*letter)); !saved.is_ok()) return saved;
    ::unlink(path_of(at, kLetterSuffix).c_str());
    none_in_hand();
    return Status::ok();
}

Status DeadLetters::refused_again(const Position& at, const std::string& error,
                                  const std::string& hint) {
    auto letter = find(at);
    if (!letter) return Status::ok();
    letter->error = error;
    letter->hint = hint;
    ++letter->attempts;
    if (auto saved = change(at, std::move(*letter)); !saved.is_ok()) return saved;
    none_in_hand();
    return revive(at);
}

bool DeadLetters::has_copy(Oid32 table, const RowKey& key) const {
    if (key.any || key.rows.empty()) return false;
    const std::lock_guard lock(mutex_);
    for (const auto& [at, entry] : entries_) {
        const auto& letter = entry.letter;
        if (letter.operation == kCopyOperation && letter.state == LetterState::parked &&
            letter.table == table && letter.key.shape == key.shape && letter.key.rows == key.rows)
            return true;
    }
    return false;
}

void DeadLetters::take_in_hand(const Position& at) {
    const std::lock_guard lock(mutex_);
    in_hand_ = at;
}

void DeadLetters::none_in_hand() {
    const std::lock_guard lock(mutex_);
    in_hand_.reset();
}

void DeadLetters::report_lost(const Position& at) {
    Letter letter;
    letter.at = at;
    letter.state = LetterState::lost;
    letter.is_row = false;
    letter.error = "fanoutd does not have this change: its state directory is another one";
    letter.hint = "To have the table as the source has it now: fanout.resync()";
    const std::lock_guard lock(mutex_);
    enter(std::move(letter));
}

void DeadLetters::forget_delivered_but(const std::set<Position>& asked_for) {
    const std::lock_guard lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end();) {
        const bool known =
            it->second.letter.state == LetterState::delivered && !asked_for.contains(it->first);
        if (known) ::unlink(path_of(it->first, kFateSuffix).c_str());
        it = known ? entries_.erase(it) : std::next(it);
    }
}

std::uint64_t DeadLetters::rows_parked() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t rows = 0;
    for (const auto& [at, entry] : entries_) {
        const bool gone = entry.letter.state == LetterState::delivered || in_hand_ == at;
        rows += entry.letter.is_row && !gone ? 1 : 0;
    }
    return rows;
}

std::size_t DeadLetters::parked() const {
    const std::lock_guard lock(mutex_);
    std::size_t parked = 0;
    for (const auto& [at, entry] : entries_)
        parked += entry.letter.state == LetterState::parked ||
                          entry.letter.state == LetterState::superseded
                      ? 1
                      : 0;
    return parked;
}

std::vector<Letter> DeadLetters::changed_since(std::uint64_t& version) const {
    const std::lock_guard lock(mutex_);
    std::vector<Letter> changed;
    for (const auto& [at, entry] : entries_)
        if (entry.version > version) changed.push_back(entry.letter);
    version = version_;
    return changed;
}

void DeadLetters::remove_all() {
    const std::lock_guard lock(mutex_);
    std::error_code failed;
    fs::remove_all(directory_, failed);
    entries_.clear();
}

}  // namespace fanout::letters
