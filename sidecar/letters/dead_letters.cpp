// See dead_letters.hpp. The first line of a file says how long the two records behind it are.
#include "sidecar/letters/dead_letters.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fanout/base/lsn_text.hpp"
#include "sidecar/state/durable_file.hpp"

namespace fanout::letters {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kSuffix = ".letter";

std::string header_line(const Letter& letter) {
    const ordered_json json{{"commit_lsn", lsn_text(letter.at.commit_lsn)},
                            {"index", letter.at.index},
                            {"commit_time", letter.commit_time},
                            {"xid", letter.xid},
                            {"table", letter.table},
                            {"schema_name", letter.schema_name},
                            {"table_name", letter.table_name},
                            {"operation", letter.operation},
                            {"error", letter.error},
                            {"hint", letter.hint},
                            {"parked_at", letter.parked_at},
                            {"attempts", letter.attempts},
                            {"is_row", letter.is_row},
                            {"epoch", letter.epoch},
                            {"relation_bytes", letter.relation.size()},
                            {"change_bytes", letter.change.size()}};
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::vector<std::uint8_t> read_bytes(std::ifstream& file, std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    if (!file) throw std::runtime_error("it is cut short");
    return bytes;
}

Letter read_letter(const std::string& path, bool with_records) {
    std::ifstream file(path, std::ios::binary);
    std::string line;
    if (!std::getline(file, line)) throw std::runtime_error("it cannot be read");
    const auto json = ordered_json::parse(line);
    Letter letter;
    const auto lsn = parse_lsn(json.at("commit_lsn").get<std::string>());
    if (!lsn) throw std::runtime_error("commit_lsn is not an LSN");
    letter.at = {*lsn, json.at("index").get<std::uint64_t>()};
    letter.commit_time = json.at("commit_time").get<PgTime>();
    letter.xid = json.at("xid").get<std::uint32_t>();
    letter.table = json.at("table").get<Oid32>();
    letter.schema_name = json.at("schema_name").get<std::string>();
    letter.table_name = json.at("table_name").get<std::string>();
    letter.operation = json.at("operation").get<std::string>();
    letter.error = json.at("error").get<std::string>();
    letter.hint = json.at("hint").get<std::string>();
    letter.parked_at = json.at("parked_at").get<std::int64_t>();
    letter.attempts = json.at("attempts").get<std::uint32_t>();
    letter.is_row = json.at("is_row").get<bool>();
    letter.epoch = json.at("epoch").get<std::uint32_t>();
    if (!with_records) return letter;
    letter.relation = read_bytes(file, json.at("relation_bytes").get<std::size_t>());
    letter.change = read_bytes(file, json.at("change_bytes").get<std::size_t>());
    return letter;
}

Status damaged(const std::string& path, const char* why) {
    return Status::corruption("the dead letter " + path + " is damaged (" + why +
                              "): move it away, its change is then delivered again or is lost");
}

}  // namespace

DeadLetters::DeadLetters(const std::string& state_directory, std::uint32_t subscription)
    : directory_(state_directory + "/letters/" + std::to_string(subscription)) {}

std::string DeadLetters::path_of(const Position& at) const {
    return fmt::format("{}/{:016X}-{}{}", directory_, at.commit_lsn, at.index, kSuffix);
}

Status DeadLetters::load() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
    std::error_code missing;
    for (const auto& file : fs::directory_iterator(directory_, missing)) {
        const std::string path = file.path().string();
        if (!path.ends_with(kSuffix)) continue;
        try {
            Letter letter = read_letter(path, false);
            const Position at = letter.at;
            entries_[at] = {std::move(letter), ++version_};
        } catch (const std::exception& e) {
            return damaged(path, e.what());
        }
    }
    return Status::ok();
}

bool DeadLetters::has(const Position& at) const {
    const std::lock_guard lock(mutex_);
    return entries_.contains(at);
}

Position DeadLetters::last() const {
    const std::lock_guard lock(mutex_);
    return entries_.empty() ? Position{} : entries_.rbegin()->first;
}

std::optional<Letter> DeadLetters::find(const Position& at) const {
    if (!has(at)) return {};
    try {
        return read_letter(path_of(at), true);
    } catch (const std::exception&) {
        return {};
    }
}

Status DeadLetters::put(Letter letter) {
    std::error_code failed;
    fs::create_directories(directory_, failed);
    std::string text = header_line(letter);
    text.append(letter.relation.begin(), letter.relation.end());
    text.append(letter.change.begin(), letter.change.end());
    if (auto written = state::replace_file(path_of(letter.at), text); !written.is_ok())
        return written;
    letter.relation = {};
    letter.change = {};
    const std::lock_guard lock(mutex_);
    const Position at = letter.at;
    entries_[at] = {std::move(letter), ++version_};
    return Status::ok();
}

std::uint64_t DeadLetters::rows_parked() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t rows = 0;
    for (const auto& [at, entry] : entries_)
        rows += entry.letter.is_row ? 1 : 0;
    return rows;
}

std::size_t DeadLetters::parked() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
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
