// Descriptors to JSON, and that JSON into INSERT statements.
#include "sidecar/host/connectors_sql.hpp"

#include <nlohmann/json.hpp>

namespace fanout::host {
namespace {

using nlohmann::ordered_json;

const char* option_type(int type) {
    switch (type) {
        case FANOUT_OPTION_INTEGER:
            return "integer";
        case FANOUT_OPTION_BOOLEAN:
            return "boolean";
        case FANOUT_OPTION_ENUM:
            return "enum";
        case FANOUT_OPTION_SIZE:
            return "size";
        default:
            return "string";
    }
}

ordered_json text_or_null(const char* text) {
    return text == nullptr ? ordered_json(nullptr) : ordered_json(text);
}

ordered_json choices_of(const fanout_option_spec& spec) {
    if (spec.type != FANOUT_OPTION_ENUM || spec.choices == nullptr) return nullptr;
    ordered_json list = ordered_json::array();
    std::string_view rest = spec.choices;
    for (;;) {
        const auto bar = rest.find('|');
        list.push_back(std::string(rest.substr(0, bar)));
        if (bar == std::string_view::npos) return list;
        rest.remove_prefix(bar + 1);
    }
}

ordered_json options_of(const fanout_connector& connector) {
    ordered_json list = ordered_json::array();
    for (std::size_t i = 0; i < connector.option_count; ++i) {
        const auto& spec = connector.options[i];
        list.push_back({{"name", spec.name},
                        {"type", option_type(spec.type)},
                        {"default", text_or_null(spec.default_text)},
                        {"help", text_or_null(spec.help)},
                        {"required", (spec.flags & FANOUT_OPTION_REQUIRED) != 0},
                        {"secret", (spec.flags & FANOUT_OPTION_SECRET) != 0},
                        {"choices", choices_of(spec)}});
    }
    return list;
}

ordered_json capabilities_of(const fanout_connector& connector) {
    ordered_json list = ordered_json::array();
    if ((connector.capabilities & FANOUT_CAP_TARGET_CURSOR) != 0) list.push_back("target_cursor");
    if ((connector.capabilities & FANOUT_CAP_MESSAGES) != 0) list.push_back("messages");
    if ((connector.capabilities & FANOUT_CAP_CREATE_TABLES) != 0) list.push_back("create_tables");
    if ((connector.capabilities & FANOUT_CAP_DDL) != 0) list.push_back("ddl");
    if ((connector.capabilities & FANOUT_CAP_SEQUENCES) != 0) list.push_back("sequences");
    if ((connector.capabilities & FANOUT_CAP_INDEXES) != 0) list.push_back("indexes");
    return list;
}

std::string sql_literal(const std::string& text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') out += '\'';
        out += c;
    }
    return out + "'";
}

}  // namespace

std::string connectors_json(const ConnectorRegistry& registry) {
    ordered_json list = ordered_json::array();
    for (const auto* connector : registry.all()) {
        list.push_back({{"name", connector->name},
                        {"version", connector->version},
                        {"summary", connector->summary},
                        {"capabilities", capabilities_of(*connector)},
                        {"options", options_of(*connector)}});
    }
    return list.dump();
}

std::string connectors_sql(const ConnectorRegistry& registry) {
    std::string sql;
    for (const auto* connector : registry.all()) {
        std::string capabilities;
        for (const auto& name : capabilities_of(*connector)) {
            capabilities += capabilities.empty() ? "" : ", ";
            capabilities += sql_literal(name.get<std::string>());
        }
        sql +=
            "INSERT INTO fanout.connector_def(name, version, summary, capabilities, options, "
            "builtin) VALUES (\n    " +
            sql_literal(connector->name) + ", " + sql_literal(connector->version) + ", " +
            sql_literal(connector->summary) + ",\n    ARRAY[" + capabilities + "]::text[],\n    " +
            sql_literal(options_of(*connector).dump()) + "::jsonb, true);\n";
    }
    return sql;
}

}  // namespace fanout::host
