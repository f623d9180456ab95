// A small JSON file, so that a person can read it.
#include "sidecar/lane/cursor_store.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fanout/base/lsn_text.hpp"
#include "sidecar/state/durable_file.hpp"

namespace fanout::lane {
namespace {

using nlohmann::ordered_json;

Lsn lsn_member(const ordered_json& json, const char* name) {
    const auto lsn = parse_lsn(json.at(name).get<std::string>());
    if (!lsn) throw std::runtime_error(std::string(name) + " is not an LSN");
    return *lsn;
}

std::vector<TableCount> tables_of(const ordered_json& list) {
    std::vector<TableCount> tables;
    for (const auto& entry : list) {
        TableCount table;
        table.oid = entry.at("oid").get<Oid32>();
        table.schema = entry.at("schema").get<std::string>();
        table.name = entry.at("name").get<std::string>();
        table.identity = entry.at("identity").get<std::string>().at(0);
        table.rows_delivered = entry.at("rows_delivered").get<std::uint64_t>();
        tables.push_back(std::move(table));
    }
    return tables;
}

}  // namespace

CursorStore::CursorStore(const std::string& directory, std::uint32_t subscription,
                         std::string stream_identity)
    : path_(directory + "/" + std::to_string(subscription) + ".json"),
      stream_identity_(std::move(stream_identity)) {}

Result<StoredCursor> CursorStore::load() const {
    std::ifstream file(path_);
    if (!file) {
        if (errno == ENOENT) return StoredCursor{};
        return Status::io("cannot read " + path_ + ": " + std::strerror(errno));
    }
    try {
        const auto json = ordered_json::parse(file);
        StoredCursor stored;
        if (json.at("stream_identity").get<std::string>() != stream_identity_) return stored;
        stored.start_lsn = lsn_member(json, "start_lsn");
        stored.cursor.commit_lsn = lsn_member(json, "commit_lsn");
        stored.cursor.end_lsn = lsn_member(json, "end_lsn");
        stored.cursor.commit_time = json.at("commit_time").get<std::int64_t>();
        stored.rows_read = json.at("rows_read").get<std::uint64_t>();
        stored.rows_delivered = json.at("rows_delivered").get<std::uint64_t>();
        stored.rows_filtered = json.at("rows_filtered").get<std::uint64_t>();
        stored.transactions = json.at("transactions").get<std::uint64_t>();
        stored.notes = json.value("notes", stored.notes);
        if (json.contains("tables")) stored.tables = tables_of(json.at("tables"));
        if (json.contains("filtered_up_to"))
            stored.filtered_up_to = lsn_member(json, "filtered_up_to");
        return stored;
    } catch (const std::exception& e) {
        return Status::corruption("the cursor file " + path_ + " is damaged (" + e.what() +
                                  "); remove it to deliver again from where the subscription or "
                                  "its target's own cursor begins");
    }
}

Status CursorStore::save(const StoredCursor& stored) const {
    ordered_json json{{"stream_identity", stream_identity_},
                      {"start_lsn", lsn_text(stored.start_lsn)},
                      {"commit_lsn", lsn_text(stored.cursor.commit_lsn)},
                      {"end_lsn", lsn_text(stored.cursor.end_lsn)},
                      {"commit_time", stored.cursor.commit_time},
                      {"rows_read", stored.rows_read},
                      {"rows_delivered", stored.rows_delivered},
                      {"rows_filtered", stored.rows_filtered},
                      {"transactions", stored.transactions},
                      {"filtered_up_to", lsn_text(stored.filtered_up_to)}};
    if (!stored.notes.empty()) json["notes"] = stored.notes;
    for (const auto& table : stored.tables)
        json["tables"].push_back({{"oid", table.oid},
                                  {"schema", table.schema},
                                  {"name", table.name},
                                  {"identity", std::string(1, table.identity)},
                                  {"rows_delivered", table.rows_delivered}});
    return state::replace_file(
        path_, json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

void CursorStore::remove() const {
    ::unlink(path_.c_str());
}

}  // namespace fanout::lane
