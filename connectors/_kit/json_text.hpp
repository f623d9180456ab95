// JSON's lexical side: strings, embedded documents, base64. Appends to a caller's buffer, never
// allocates beyond it. Bytes that are not UTF-8 never get into it: what becomes of them is for the
// caller to say.
//
// Pure functions, any thread. What the objects of a change look like: json_encoder.hpp.
#pragma once

#include <string>
#include <string_view>

namespace fanout::kit {

/// `text` as a JSON string with its quotes. Control characters, quote and backslash are escaped.
/// False if it is not UTF-8: then `out` is as it was.
[[nodiscard]] bool append_json_string(std::string& out, std::string_view text);

/// The same for the name of a table or column, where a byte that is not UTF-8 is shown as \xNN.
void append_json_name(std::string& out, std::string_view name);

/// A json or jsonb value as it is, on one line: PostgreSQL has checked it, so a line break can
/// only stand between tokens. False if it is not UTF-8: then `out` is as it was.
[[nodiscard]] bool append_json_document(std::string& out, std::string_view document);

/// Base64 (RFC 4648, padded), without quotes.
void append_base64(std::string& out, std::string_view bytes);

bool is_utf8(std::string_view text);

}  // namespace fanout::kit
