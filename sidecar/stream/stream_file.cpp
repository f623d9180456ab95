// See stream_file.hpp.
#include "sidecar/stream/stream_file.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "sidecar/state/durable_file.hpp"

namespace fanout::stream {
namespace {

std::string path_of(const std::string& directory) {
    return directory + "/stream.json";
}

}  // namespace

Result<StreamFile> load_stream_file(const std::string& directory) {
    std::ifstream file(path_of(directory));
    if (!file) return StreamFile{};
    try {
        const auto json = nlohmann::ordered_json::parse(file);
        return StreamFile{json.at("identity").get<std::string>(),
                          json.at("epoch").get<std::uint64_t>(), json.value("damage", "")};
    } catch (const std::exception& e) {
        return Status::corruption(path_of(directory) + " is damaged (" + e.what() +
                                  "); remove the directory it is in to begin the stream anew: its "
                                  "subscriptions then need a resync");
    }
}

Status save_stream_file(const std::string& directory, const StreamFile& content) {
    nlohmann::ordered_json json{{"identity", content.identity}, {"epoch", content.epoch}};
    if (!content.damage.empty()) json["damage"] = content.damage;
    using Json = nlohmann::ordered_json;
    return state::replace_file(path_of(directory),
                               json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace fanout::stream
