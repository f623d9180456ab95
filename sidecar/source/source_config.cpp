// JSON → structs.
#include "sidecar/source/source_config.hpp"

#include <nlohmann/json.hpp>

#include "fanout/base/lsn_text.hpp"

namespace fanout::source {
namespace {

using nlohmann::json;

Lsn lsn_of(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return 0;
    const auto lsn = parse_lsn(found->get<std::string>());
    if (!lsn) throw std::runtime_error(std::string(name) + " is not an LSN");
    return *lsn;
}

bool flag_of(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

host::OptionValues options_of(const json& object) {
    using Kind = host::OptionValue::Kind;
    host::OptionValues options;
    for (const auto& [name, value] : object.items()) {
        if (value.is_string()) {
            options[name] = {Kind::text, value.get<std::string>()};
        } else if (value.is_number()) {
            options[name] = {Kind::number, value.dump()};
        } else if (value.is_boolean()) {
            options[name] = {Kind::boolean, value.dump()};
        } else {
            options[name] = {Kind::other, ""};
        }
    }
    return options;
}

StreamDef stream_of(const json& object) {
    StreamDef stream;
    stream.id = object.at("id").get<std::uint32_t>();
    stream.name = object.at("name").get<std::string>();
    stream.slot = object.at("slot").get<std::string>();
    stream.identity =
        object.at("identity").is_null() ? "" : object.at("identity").get<std::string>();
    stream.generation = object.at("generation").get<std::uint32_t>();
    stream.enabled = flag_of(object, "enabled");
    return stream;
}

/// An identifier may come as text or, by jsonb's habit, as a number.
std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

void read_own_options(const json& own, SubscriptionDef& subscription) {
    subscription.create_tables = flag_of(own, "create_tables");
    const auto on_reject = own.find("on_reject");
    subscription.park_rejected = on_reject != own.end() && *on_reject == "park";
}

SubscriptionDef subscription_of(const json& object) {
    SubscriptionDef subscription;
    subscription.id = object.at("id").get<std::uint32_t>();
    subscription.name = object.at("name").get<std::string>();
    subscription.owner = object.at("owner").get<std::string>();
    subscription.stream = object.at("stream").get<std::string>();
    subscription.paused = flag_of(object, "paused");
    subscription.restored = flag_of(object, "restored");
    subscription.revision = object.at("revision").get<std::uint32_t>();
    subscription.start_lsn = lsn_of(object, "start_lsn");
    subscription.skip_lsn = lsn_of(object, "skip_lsn");
    if (const auto own = object.find("options"); own != object.end() && own->is_object())
        read_own_options(*own, subscription);
    if (const auto skips = object.find("skips"); skips != object.end() && skips->is_array())
        for (const auto& skip : *skips)
            subscription.skips
                .positions[{lsn_of(skip, "commit_lsn"), skip.at("index").get<std::uint64_t>()}] =
                text_of(skip.at("by"));
    const auto& target = object.at("target");
    subscription.target = target.at("name").get<std::string>();
    subscription.connector = target.at("connector").get<std::string>();
    if (target.at("options").is_object()) subscription.options = options_of(target.at("options"));
    return subscription;
}

}  // namespace

Result<SourceConfig> parse_source_config(const std::string& text) {
    try {
        const json object = json::parse(text);
        SourceConfig config;
        config.system_identifier = text_of(object.at("system_identifier"));
        config.database_oid = static_cast<Oid32>(std::stoul(text_of(object.at("database_oid"))));
        config.database = object.at("database").get<std::string>();
        for (const auto& stream : object.at("streams"))
            config.streams.push_back(stream_of(stream));
        for (const auto& subscription : object.at("subscriptions"))
            config.subscriptions.push_back(subscription_of(subscription));
        return config;
    } catch (const std::exception& e) {
        return Status::fatal(
            std::string("fanout.daemon_config() is not as this fanoutd expects: ") + e.what() +
            "; install fanoutd and extension of one version (ALTER EXTENSION "
            "pg_fanout UPDATE)");
    }
}

}  // namespace fanout::source
