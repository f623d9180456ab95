// What becomes of a value its target has no place for: the option "unrepresentable" that connectors
// share. Never a value that only looks right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fanout/connector/abi.h"

namespace fanout::kit {

enum class Unrepresentable : std::uint8_t {
    error,  // the change is rejected
    null,   // NULL; in a column that is NOT NULL the change is rejected
    text,   // PostgreSQL's text form; bytes that are no text as \x and hexadecimal digits
};

inline constexpr fanout_option_spec kUnrepresentableOption = {
    .name = "unrepresentable",
    .type = FANOUT_OPTION_ENUM,
    .default_text = "text",
    .help =
        "What a value that the target's type cannot hold becomes: a rejected row, NULL, or its "
        "text.",
    .choices = "error|null|text",
    .flags = 0,
};

Unrepresentable read_unrepresentable(const std::string& option);

/// True if the value is to be NULL, false if its text is to be used; throws FANOUT_REJECT, naming
/// the column and `what` it holds, where the policy says error.
bool becomes_null(Unrepresentable policy, const fanout_column& column, std::string_view what);

/// "\x" and two digits a byte, as bytea shows itself; of a text without a form in UTF-8 the bytes
/// that the source stores.
void append_bytes_as_hex(std::string& out, const fanout_value& value);

}  // namespace fanout::kit
