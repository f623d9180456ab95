// The only file that sees spdlog. Lines are composed here; spdlog filters, locks and writes.
#include "sidecar/observe/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace fanout::log {
namespace {

std::atomic<bool> as_json{false};

spdlog::level::level_enum spd_level(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            break;
    }
    return spdlog::level::err;
}

spdlog::logger& logger() {
    static const auto instance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "fanoutd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_formatter(std::make_unique<spdlog::pattern_formatter>(
            "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
        made->set_level(spdlog::level::info);
        made->flush_on(spdlog::level::debug);
        return made;
    }();
    return *instance;
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        } else {
            out += c;
        }
    }
    out += '"';
}

bool is_plain(std::string_view text) {
    if (text.empty()) return false;
    return text.find_first_of(" \"\\=\n\t") == std::string_view::npos;
}

std::string text_line(std::string_view text, Fields fields) {
    std::string line(text);
    for (const auto& field : fields) {
        line += ' ';
        line += field.key;
        line += '=';
        if (is_plain(field.value)) {
            line += field.value;
        } else {
            append_quoted(line, field.value);
        }
    }
    return line;
}

std::string json_members(std::string_view text, Fields fields) {
    std::string line;
    append_quoted(line, text);
    for (const auto& field : fields) {
        line += ',';
        append_quoted(line, field.key);
        line += ':';
        if (field.number) {
            line += field.value;
        } else {
            append_quoted(line, field.value);
        }
    }
    return line;
}

}  // namespace

void start(Format format, Level level) {
    as_json = format == Format::json;
    if (as_json) {
        logger().set_formatter(std::make_unique<spdlog::pattern_formatter>(
            R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","event":%v})",
            spdlog::pattern_time_type::utc));
    }
    set_level(level);
}

void set_level(Level level) {
    logger().set_level(spd_level(level));
}

void write(Level level, std::string_view text, Fields fields) {
    if (!logger().should_log(spd_level(level))) return;
    logger().log(spd_level(level), "{}",
                 as_json ? json_members(text, fields) : text_line(text, fields));
}

}  // namespace fanout::log
