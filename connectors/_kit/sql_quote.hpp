// Names and texts inside SQL. Always quotes: a name that needs no quotes today may be a keyword
// tomorrow. Both forms are read the same by PostgreSQL and SQLite. Stateless.
#pragma once

#include <string>
#include <string_view>

namespace fanout::kit {

/// "name", with each " doubled.
std::string quote_identifier(std::string_view name);

/// "schema"."name".
std::string quote_qualified(std::string_view schema, std::string_view name);

/// 'text', with each ' doubled. Needs standard_conforming_strings = on.
std::string quote_literal(std::string_view text);

}  // namespace fanout::kit
