// Doubling of the quote character is all the quoting that standard SQL strings and names need.
#include "_kit/sql_quote.hpp"

namespace fanout::kit {
namespace {

std::string quoted(std::string_view text, char quote) {
    std::string out;
    out.reserve(text.size() + 2);
    out += quote;
    for (const char c : text) {
        if (c == quote) out += quote;
        out += c;
    }
    out += quote;
    return out;
}

}  // namespace

std::string quote_identifier(std::string_view name) {
    return quoted(name, '"');
}

std::string quote_qualified(std::string_view schema, std::string_view name) {
    return quoted(schema, '"') + '.' + quoted(name, '"');
}

std::string quote_literal(std::string_view text) {
    return quoted(text, '\'');
}

}  // namespace fanout::kit
