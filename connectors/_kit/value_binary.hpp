// Values in the form PostgreSQL's send functions produce and its binary parameters take.
// Stateless; allocates only in `out`.
#pragma once

#include <string>

#include "fanout/connector/abi.h"

namespace fanout::kit {

/// Whether a column's values have a send form that can be made from what the source delivers.
/// Text forms (arrays, enums, extension types) have none: they go as text and are cast.
bool has_binary_form(const fanout_column& column);

/// Appends the send form of a value whose state is FANOUT_PRESENT. Throws std::invalid_argument,
/// naming the column, if there is none or the bytes cannot be a value of the column's type.
void append_binary(std::string& out, const fanout_column& column, const fanout_value& value);

}  // namespace fanout::kit
