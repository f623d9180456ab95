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
    const auto messages = own.find("messages");
    if (messages != own.end() && messages->is_array())
        subscription.messages = messages->get<std::vector<std::string>>();
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
    subscription.on_ddl = lane::read_on_ddl(object.value("on_ddl", "ignore"));
    if (const auto skips = object.find("skips"); skips != object.end() && skips->is_array())
        for (const auto& skip : *skips)
            subscription.skips
                .positions[{lsn_of(skip, "commit_lsn"), skip.at("index").get<std::uint64_t>()}] =
                text_of(skip.at("by"));
    if (const auto redrives = object.find("redrives");
        redrives != object.end() && redrives->is_array())
        for (const auto& letter : *redrives)
            subscription.redrives.positions.insert(
                {lsn_of(letter, "commit_lsn"), letter.at("index").get<std::uint64_t>()});
    const auto& target = object.at("target");
    subscription.target = target.at("name").get<std::string>();
    subscription.connector = target.at("connector").get<std::string>();
    if (target.at("options").is_object()) subscription.options = options_of(target.at("options"));
    return subscription;
}

std::uint64_t number_of(const json& object, const char* name, std::uint64_t otherwise) {
    const auto found = object.find(name);
    return found == object.end() || !found->is_number() ? otherwise : found->get<std::uint64_t>();
}

backfill::OnNonempty on_nonempty_of(const json& object) {
    const std::string text = object.value("on_nonempty", "error");
    if (text == "truncate") return backfill::OnNonempty::truncate;
    return text == "upsert" ? backfill::OnNonempty::upsert : backfill::OnNonempty::error;
}

backfill::CreateIndexes create_indexes_of(const json& object) {
    const std::string text = object.value("create_indexes", "");
    if (text == "own_tables") return backfill::CreateIndexes::own_tables;
    return text == "any_table" ? backfill::CreateIndexes::any_table
                               : backfill::CreateIndexes::never;
}

/// Rows and columns that the stream carries of the table; the copy has to be the same.
void apply_filter(const json& filter, backfill::Request& request) {
    if (const auto rows = filter.find("predicate"); rows != filter.end() && rows->is_string())
        request.filter = rows->get<std::string>();
    if (const auto columns = filter.find("columns"); columns != filter.end() && columns->is_array())
        request.columns = columns->get<std::vector<std::string>>();
    if (const auto masks = filter.find("masks"); masks != filter.end() && masks->is_object())
        request.masks = masks->get<std::map<std::string, std::string>>();
    // Not carried as it is now.
    if (const auto problem = filter.find("problem");
        problem != filter.end() && problem->is_string())
        request.paused = true;
}

backfill::Plan copies_of(const json& subscription) {
    backfill::Plan plan;
    auto& options = plan.options;
    options.backfill = flag_of(subscription, "backfill");
    if (const auto given = subscription.find("backfill_options");
        given != subscription.end() && given->is_object()) {
        options.workers = static_cast<unsigned>(number_of(*given, "workers", options.workers));
        options.rows_per_second = number_of(*given, "rows_per_second", 0);
        options.bytes_per_second = number_of(*given, "bytes_per_second", 0);
        options.chunk_bytes = number_of(*given, "chunk_bytes", options.chunk_bytes);
        options.on_nonempty = on_nonempty_of(*given);
        options.create_indexes = create_indexes_of(*given);
    }
    const auto list = subscription.find("backfills");
    if (list == subscription.end() || !list->is_array()) return plan;
    const auto filters = subscription.find("filters");
    for (const auto& entry : *list) {
        backfill::Request request;
        request.table = entry.at("table").get<Oid32>();
        request.schema = entry.at("schema").get<std::string>();
        request.name = entry.at("name").get<std::string>();
        request.generation = entry.at("generation").get<std::uint32_t>();
        if (entry.contains("predicate") && entry.at("predicate").is_string())
            request.predicate = entry.at("predicate").get<std::string>();
        request.on_nonempty = on_nonempty_of(entry);
        request.paused = flag_of(entry, "paused");
        request.cancelled = flag_of(entry, "cancelled");
        if (filters != subscription.end() && filters->is_array())
            for (const auto& filter : *filters)
                if (filter.at("table_oid").get<Oid32>() == request.table)
                    apply_filter(filter, request);
        plan.requests.push_back(std::move(request));
    }
    return plan;
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
        for (const auto& subscription : object.at("subscriptions")) {
            config.subscriptions.push_back(subscription_of(subscription));
            config.copies[config.subscriptions.back().id] = copies_of(subscription);
        }
        return config;
    } catch (const std::exception& e) {
        return Status::fatal(
            std::string("fanout.daemon_config() is not as this fanoutd expects: ") + e.what() +
            "; install fanoutd and extension of one version (ALTER EXTENSION "
            "pg_fanout UPDATE)");
    }
}

}  // namespace fanout::source
