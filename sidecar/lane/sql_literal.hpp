// Text as a literal of SQL, for statements that a hint shows.
#pragma once

#include <string>

namespace fanout::lane {

inline std::string sql_literal(const std::string& text) {
    std::string out = "'";
    for (const char c : text)
        out.append(c == '\'' ? 2 : 1, c);
    return out + "'";
}

}  // namespace fanout::lane
