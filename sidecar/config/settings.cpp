// The rows of the table, and how the three sources become one Config.
#include "sidecar/config/settings.hpp"

#include <cstdlib>

#include "sidecar/config/size_text.hpp"

namespace fanout::config {
namespace {

constexpr const char* kSizeAllowed = "a size such as 64MB or 10GB";

std::string set_size(std::uint64_t& out, const std::string& text, std::uint64_t min,
                     std::uint64_t max) {
    const auto size = parse_size(text);
    if (!size) return kSizeAllowed;
    if (*size < min || *size > max)
        return "a size from " + size_text(min) + " to " + size_text(max);
    out = *size;
    return {};
}

template <typename E>
struct Word {
    const char* text;
    E value;
};

constexpr Word<log::Level> kLevels[] = {{"debug", log::Level::debug},
                                        {"info", log::Level::info},
                                        {"warning", log::Level::warning},
                                        {"error", log::Level::error}};
constexpr Word<log::Format> kFormats[] = {{"text", log::Format::text}, {"json", log::Format::json}};
constexpr Word<LimitAction> kActions[] = {{"hold", LimitAction::hold},
                                          {"needs_resync", LimitAction::needs_resync}};

template <typename E, std::size_t N>
std::string set_word(E& out, const std::string& text, const Word<E> (&words)[N]) {
    std::string allowed;
    for (const auto& word : words) {
        if (text == word.text) {
            out = word.value;
            return {};
        }
        allowed += allowed.empty() ? "" : ", ";
        allowed += word.text;
    }
    return "one of " + allowed;
}

template <typename E, std::size_t N>
std::string show_word(E value, const Word<E> (&words)[N]) {
    for (const auto& word : words)
        if (word.value == value) return word.text;
    return {};
}

std::string set_text(std::string& out, const std::string& text) {
    if (text.empty()) return "a text that is not empty";
    out = text;
    return {};
}

constexpr std::uint64_t kMegabyte = 1ULL << 20;

}  // namespace

const std::vector<Setting>& settings() {
    static const std::vector<Setting> table{
        {"source", "CONNINFO", "how to reach the source database: a libpq connection string", false,
         [](Config& c, const std::string& t) { return set_text(c.source, t); },
         [](const Config& c) { return c.source; }},
        {"state_dir", "DIR", "directory for journal, cursors and lock; one per source", false,
         [](Config& c, const std::string& t) { return set_text(c.state_dir, t); },
         [](const Config& c) { return c.state_dir; }},
        {"connector_dir", "DIR", "where connectors are looked for (default: beside the program)",
         false, [](Config& c, const std::string& t) { return set_text(c.connector_dir, t); },
         [](const Config& c) { return c.connector_dir; }},
        {"log_format", "FORMAT", "text or json, one line per event on stderr", false,
         [](Config& c, const std::string& t) { return set_word(c.log_format, t, kFormats); },
         [](const Config& c) { return show_word(c.log_format, kFormats); }},
        {"log_level", "LEVEL", "debug, info, warning or error", true,
         [](Config& c, const std::string& t) {
             return set_word(c.reloadable.log_level, t, kLevels);
         },
         [](const Config& c) { return show_word(c.reloadable.log_level, kLevels); }},
        {"journal_bytes_max", "SIZE",
         "size of one stream's journal at which the limit action is due", true,
         [](Config& c, const std::string& t) {
             return set_size(c.reloadable.journal_bytes_max, t, 4 * kMegabyte, 1ULL << 50);
         },
         [](const Config& c) { return size_text(c.reloadable.journal_bytes_max); }},
        {"journal_age_max", "TIME", "age of a journal segment at which it is due; 0 for no limit",
         true,
         [](Config& c, const std::string& t) -> std::string {
             const auto age = parse_duration(t);
             if (!age) return "a duration such as 90s, 30min, 12h or 7d";
             c.reloadable.journal_age_max = *age;
             return {};
         },
         [](const Config& c) {
             return std::to_string(c.reloadable.journal_age_max.count()) + "s";
         }},
        {"journal_limit_action", "ACTION",
         "at the limit: hold (WAL waits in the slot) or needs_resync (give up the slowest lane)",
         true,
         [](Config& c, const std::string& t) {
             return set_word(c.reloadable.journal_limit_action, t, kActions);
         },
         [](const Config& c) { return show_word(c.reloadable.journal_limit_action, kActions); }},
        {"journal_segment_bytes", "SIZE", "size at which a journal segment is closed", false,
         [](Config& c, const std::string& t) {
             return set_size(c.journal_segment_bytes, t, kMegabyte, 1024 * kMegabyte);
         },
         [](const Config& c) { return size_text(c.journal_segment_bytes); }},
        {"batch_rows_max", "COUNT", "rows handed to a connector at once", false,
         [](Config& c, const std::string& t) -> std::string {
             const auto rows = parse_size(t);
             if (!rows || *rows < 1 || *rows > 10'000'000) return "a number from 1 to 10000000";
             c.lane.batch_rows_max = *rows;
             return {};
         },
         [](const Config& c) { return std::to_string(c.lane.batch_rows_max); }},
        {"batch_bytes_max", "SIZE", "bytes of changes handed to a connector at once", false,
         [](Config& c, const std::string& t) {
             return set_size(c.lane.batch_bytes_max, t, 4096, 1024 * kMegabyte);
         },
         [](const Config& c) { return size_text(c.lane.batch_bytes_max); }},
    };
    return table;
}

std::string flag_name(const Setting& setting) {
    std::string flag = "--";
    for (const char* c = setting.name; *c != '\0'; ++c)
        flag += *c == '_' ? '-' : *c;
    return flag;
}

std::string environment_name(const Setting& setting) {
    std::string name = "FANOUT_";
    for (const char* c = setting.name; *c != '\0'; ++c)
        name += static_cast<char>(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    return name;
}

GivenValues read_environment() {
    GivenValues values;
    for (const auto& setting : settings()) {
        const std::string name = environment_name(setting);
        const char* text = std::getenv(name.c_str());
        if (text != nullptr && *text != '\0')
            values[setting.name] = {text, "environment variable " + name};
    }
    return values;
}

Result<Config> build_config(const std::vector<GivenValues>& sources) {
    Config config;
    for (const auto& source : sources) {
        for (const auto& setting : settings()) {
            const auto found = source.find(setting.name);
            if (found == source.end()) continue;
            const std::string allowed = setting.set(config, found->second.text);
            if (allowed.empty()) continue;
            return Status::fatal(found->second.origin + ": \"" + found->second.text +
                                 "\" is not a value for " + setting.name + "; give " + allowed);
        }
    }
    return config;
}

Result<Reloadable> reload(const Config& running, const GivenValues& flags) {
    GivenValues file;
    if (!running.config_file.empty()) {
        auto read = read_config_file(running.config_file);
        if (!read.is_ok()) return read.status();
        file = std::move(read.value());
    }
    auto again = build_config({file, read_environment(), flags});
    if (!again.is_ok()) return again.status();
    return again.value().reloadable;
}

}  // namespace fanout::config
