// The daemon's log: one line per event on stderr, for an operator.
//
// Levels by what the reader should do: error = act now, something stopped; warning = it goes on,
// but look; info = a change of state worth keeping; debug = for whoever studies the daemon.
// A line is a fixed text plus fields, never row contents and never a resolved secret. Any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace fanout::log {

enum class Level { debug, info, warning, error };
enum class Format { text, json };

struct Field {
    std::string_view key;
    std::string value;
    bool number = false;

    Field(std::string_view name, std::string text) : key(name), value(std::move(text)) {}
    Field(std::string_view name, std::string_view text) : key(name), value(text) {}
    Field(std::string_view name, const char* text) : key(name), value(text) {}
    template <typename T>
    requires std::is_integral_v<T> Field(std::string_view name, T count)
        : key(name), value(std::to_string(count)), number(true) {}
};

using Fields = std::initializer_list<Field>;

/// Once, before the first line that matters; until then lines are text at level info.
void start(Format format, Level level);
void set_level(Level level);

void write(Level level, std::string_view text, Fields fields);

inline void debug(std::string_view text, Fields fields = {}) {
    write(Level::debug, text, fields);
}
inline void info(std::string_view text, Fields fields = {}) {
    write(Level::info, text, fields);
}
inline void warning(std::string_view text, Fields fields = {}) {
    write(Level::warning, text, fields);
}
inline void error(std::string_view text, Fields fields = {}) {
    write(Level::error, text, fields);
}

}  // namespace fanout::log
