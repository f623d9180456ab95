// The one place of the drain that reads JSON.
#include "sidecar/drain/config_message.hpp"

#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

namespace fanout::drain {

namespace {

constexpr std::string_view kPrefix = "pg_fanout.config";

std::string_view text_of(wire::Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::optional<SubscriptionNews> read_config_message(const wire::RecordView& message) {
    if ((message.header.flags & wire::kFlagTransactional) == 0) return {};
    wire::BodyCursor cursor(message.body);
    const auto body = cursor.take<wire::MessageBody>();
    if (text_of(cursor.take_bytes(body.prefix_size)) != kPrefix) return {};
    const auto content = text_of(cursor.take_bytes(body.content_size));
    if (!cursor.ok()) return {};
    const auto json = nlohmann::json::parse(content, nullptr, false);
    if (!json.is_object()) return {};
    const auto op = json.find("op");
    const auto id = json.find("id");
    if (op == json.end() || id == json.end() || !op->is_string() || !id->is_number_unsigned()) {
        return {};
    }
    const auto number = id->get<std::uint64_t>();
    const bool added = *op == "add";
    if ((!added && *op != "drop") || number > std::numeric_limits<journal::SubscriptionId>::max()) {
        return {};
    }
    return SubscriptionNews{added, static_cast<journal::SubscriptionId>(number),
                            message.header.lsn};
}

}  // namespace fanout::drain
