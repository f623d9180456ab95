// JSON, so that a person can read it.
#include "sidecar/letters/letter_file.hpp"

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "fanout/base/lsn_text.hpp"

namespace fanout::letters {
namespace {

using nlohmann::ordered_json;

std::string line_of(const ordered_json& json) {
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

ordered_json first_line(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string line;
    if (!std::getline(file, line)) throw std::runtime_error("it cannot be read");
    return ordered_json::parse(line);
}

Lsn lsn_member(const ordered_json& json, const char* name) {
    const auto lsn = parse_lsn(json.at(name).get<std::string>());
    if (!lsn) throw std::runtime_error(std::string(name) + " is not an LSN");
    return *lsn;
}

ordered_json key_json(const RowKey& key) {
    return {{"shape", key.shape}, {"rows", key.rows}, {"any", key.any}};
}

/// Letters of a time before there were keys may be about any row.
RowKey key_of(const ordered_json& json) {
    RowKey key;
    const auto found = json.find("key");
    key.any = found == json.end() || found->at("any").get<bool>();
    if (found == json.end()) return key;
    key.shape = found->at("shape").get<std::uint64_t>();
    key.rows = found->at("rows").get<std::vector<std::uint64_t>>();
    return key;
}

}  // namespace

std::string header_line(const Letter& letter, const LetterRecords& records) {
    return line_of({{"commit_lsn", lsn_text(letter.at.commit_lsn)},
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
                    {"key", key_json(letter.key)},
                    {"epoch", records.epoch},
                    {"relation_flags", records.relation_flags},
                    {"relation_bytes", records.relation.size()},
                    {"change_bytes", records.change.size()}});
}

Letter read_letter(const std::string& path) {
    const auto json = first_line(path);
    Letter letter;
    letter.at = {lsn_member(json, "commit_lsn"), json.at("index").get<std::uint64_t>()};
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
    letter.key = key_of(json);
    return letter;
}

Status find_records(const std::uint8_t* bytes, std::size_t size, LetterRecords& out) {
    const auto* end = static_cast<const std::uint8_t*>(std::memchr(bytes, '\n', size));
    if (end == nullptr) return Status::corruption("its first line does not end");
    const std::size_t start = static_cast<std::size_t>(end - bytes) + 1;
    try {
        const auto json = ordered_json::parse(bytes, end);
        const auto relation = json.at("relation_bytes").get<std::size_t>();
        const auto change = json.at("change_bytes").get<std::size_t>();
        if (relation > size - start || change != size - start - relation)
            return Status::corruption("it is not as long as it says");
        out.epoch = json.at("epoch").get<std::uint32_t>();
        out.relation_flags = json.value("relation_flags", std::uint8_t{0});
        out.relation = {bytes + start, relation};
        out.change = {bytes + start + relation, change};
        return Status::ok();
    } catch (const std::exception& e) {
        return Status::corruption(e.what());
    }
}

std::string fate_line(const Letter& letter) {
    ordered_json json{{"state", state_name(letter.state)},
                      {"attempts", letter.attempts},
                      {"error", letter.error},
                      {"hint", letter.hint}};
    if (letter.superseded_by != Position{}) {
        json["superseded_by_lsn"] = lsn_text(letter.superseded_by.commit_lsn);
        json["superseded_by_index"] = letter.superseded_by.index;
    }
    return line_of(json);
}

void read_fate(const std::string& path, Letter& letter) {
    const auto json = first_line(path);
    const auto state = json.at("state").get<std::string>();
    letter.attempts = json.at("attempts").get<std::uint32_t>();
    letter.error = json.at("error").get<std::string>();
    letter.hint = json.at("hint").get<std::string>();
    letter.state = state == "delivered"    ? LetterState::delivered
                   : state == "superseded" ? LetterState::superseded
                                           : LetterState::parked;
    if (json.contains("superseded_by_lsn"))
        letter.superseded_by = {lsn_member(json, "superseded_by_lsn"),
                                json.at("superseded_by_index").get<std::uint64_t>()};
}

}  // namespace fanout::letters
