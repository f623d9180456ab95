// The configuration file: `key = value` lines. Every refusal names file and line.
#include <cerrno>
#include <cstring>
#include <fstream>

#include "sidecar/config/settings.hpp"

namespace fanout::config {
namespace {

std::string trimmed(const std::string& text) {
    static constexpr const char* kBlank = " \t\r";
    const auto first = text.find_first_not_of(kBlank);
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// Takes a double-quoted value apart; a backslash protects the next character. False if the quotes
/// do not end the line.
bool unquote(std::string& value) {
    if (value.empty() || value.front() != '"') return true;
    std::string out;
    for (std::size_t i = 1; i < value.size(); ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) {
            out += value[++i];
        } else if (value[i] == '"') {
            const std::string behind = trimmed(value.substr(i + 1));
            value = out;
            return behind.empty() || behind.front() == '#';
        } else {
            out += value[i];
        }
    }
    return false;
}

const Setting* find_setting(const std::string& name) {
    for (const auto& setting : settings())
        if (name == setting.name) return &setting;
    return nullptr;
}

std::string known_names() {
    std::string names;
    for (const auto& setting : settings()) {
        names += names.empty() ? "" : ", ";
        names += setting.name;
    }
    return names;
}

}  // namespace

Result<GivenValues> read_config_file(const std::string& path) {
    std::ifstream file(path);
    if (!file)
        return Status::fatal("cannot read configuration file " + path + ": " +
                             std::strerror(errno));
    GivenValues values;
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        line = trimmed(line);
        if (line.empty() || line.front() == '#') continue;
        const std::string at = path + ":" + std::to_string(number);
        const auto equals = line.find('=');
        if (equals == std::string::npos)
            return Status::fatal(at + ": expected `key = value`, found \"" + line + "\"");
        const std::string name = trimmed(line.substr(0, equals));
        std::string value = trimmed(line.substr(equals + 1));
        if (find_setting(name) == nullptr)
            return Status::fatal(at + ": unknown setting \"" + name +
                                 "\"; known are: " + known_names());
        if (!unquote(value)) return Status::fatal(at + ": the quoted value does not end");
        if (values.contains(name))
            return Status::fatal(at + ": " + name + " was given already at " + values[name].origin);
        values[name] = {value, at};
    }
    return values;
}

}  // namespace fanout::config
