// One pass over the given names, one over the connector's table.
#include "sidecar/host/option_check.hpp"

#include <charconv>
#include <string_view>

#include "sidecar/config/size_text.hpp"
#include "sidecar/host/secrets.hpp"

namespace fanout::host {
namespace {

const char* type_name(int type) {
    switch (type) {
        case FANOUT_OPTION_INTEGER:
            return "a whole number";
        case FANOUT_OPTION_BOOLEAN:
            return "true or false";
        case FANOUT_OPTION_ENUM:
            return "one of ";
        case FANOUT_OPTION_SIZE:
            return "a size such as 64MB";
        default:
            return "a text";
    }
}

bool is_integer(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

bool is_choice(std::string_view choices, std::string_view text) {
    while (!choices.empty()) {
        const auto bar = choices.find('|');
        if (choices.substr(0, bar) == text) return true;
        if (bar == std::string_view::npos) return false;
        choices.remove_prefix(bar + 1);
    }
    return false;
}

/// Brings `text` into the form the ABI promises; false if it is not of the type.
bool normalise(const fanout_option_spec& spec, std::string& text) {
    switch (spec.type) {
        case FANOUT_OPTION_STRING:
            return true;
        case FANOUT_OPTION_INTEGER:
            return is_integer(text);
        case FANOUT_OPTION_BOOLEAN:
            if (text == "on" || text == "yes") text = "true";
            if (text == "off" || text == "no") text = "false";
            return text == "true" || text == "false";
        case FANOUT_OPTION_ENUM:
            return spec.choices != nullptr && is_choice(spec.choices, text);
        case FANOUT_OPTION_SIZE: {
            const auto size = config::parse_size(text);
            if (size) text = std::to_string(*size);
            return size.has_value();
        }
        default:
            return false;
    }
}

std::string known_options(const fanout_connector& connector) {
    std::string names;
    for (std::size_t i = 0; i < connector.option_count; ++i) {
        names += i == 0 ? "" : ", ";
        names += connector.options[i].name;
    }
    return names.empty() ? "it has none" : names;
}

const fanout_option_spec* find_spec(const fanout_connector& connector, const std::string& name) {
    for (std::size_t i = 0; i < connector.option_count; ++i)
        if (name == connector.options[i].name) return &connector.options[i];
    return nullptr;
}

std::string option_of(const fanout_connector& connector, const char* name) {
    return "option \"" + std::string(name) + "\" of connector \"" + connector.name + "\"";
}

/// The value of one option, empty if it has neither value nor default.
Result<std::string> value_of(const fanout_connector& connector, const fanout_option_spec& spec,
                             const OptionValue& given) {
    if (given.kind == OptionValue::Kind::other)
        return Status::fatal(option_of(connector, spec.name) + " must be " + type_name(spec.type) +
                             ", not a list, an object or null");
    if ((spec.flags & FANOUT_OPTION_SECRET) != 0 && !is_reference(given.text))
        return Status::fatal(option_of(connector, spec.name) +
                             " is a secret and is not kept in the database; give a reference: "
                             "${env:NAME}, ${file:/path} or ${credential:name}");
    auto resolved = resolve_references(given.text);
    if (!resolved.is_ok())
        return Status::fatal(option_of(connector, spec.name) + ": " + resolved.status().text());
    if (!normalise(spec, resolved.value())) {
        std::string wanted = type_name(spec.type);
        if (spec.type == FANOUT_OPTION_ENUM && spec.choices != nullptr) wanted += spec.choices;
        const bool is_secret = (spec.flags & FANOUT_OPTION_SECRET) != 0;
        return Status::fatal(option_of(connector, spec.name) + " must be " + wanted +
                             (is_secret ? "" : ", not \"" + given.text + "\""));
    }
    return resolved;
}

}  // namespace

std::vector<fanout_option> CheckedOptions::as_list() const {
    std::vector<fanout_option> list;
    list.reserve(values.size());
    for (const auto& [name, value] : values)
        list.push_back({name.c_str(), value.c_str()});
    return list;
}

Result<CheckedOptions> check_options(const fanout_connector& connector, const OptionValues& given) {
    for (const auto& [name, value] : given) {
        if (find_spec(connector, name) == nullptr)
            return Status::fatal("connector \"" + std::string(connector.name) +
                                 "\" has no option \"" + name +
                                 "\"; its options: " + known_options(connector));
    }
    CheckedOptions checked;
    for (std::size_t i = 0; i < connector.option_count; ++i) {
        const auto& spec = connector.options[i];
        const auto found = given.find(spec.name);
        if (found != given.end()) {
            auto value = value_of(connector, spec, found->second);
            if (!value.is_ok()) return value.status();
            checked.values.emplace_back(spec.name, std::move(value.value()));
        } else if (spec.default_text != nullptr) {
            std::string text = spec.default_text;
            if (!normalise(spec, text))
                return Status::fatal(option_of(connector, spec.name) + ": its default \"" +
                                     spec.default_text + "\" is not of its type");
            checked.values.emplace_back(spec.name, std::move(text));
        } else if ((spec.flags & FANOUT_OPTION_REQUIRED) != 0) {
            return Status::fatal(option_of(connector, spec.name) + " is required: " + spec.help);
        }
    }
    return checked;
}

}  // namespace fanout::host
