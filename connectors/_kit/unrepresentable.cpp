#include "_kit/unrepresentable.hpp"

#include <cstring>
#include <span>

#include "fanout/base/no_utf8.hpp"
#include "fanout/connector/connector.hpp"

namespace fanout::kit {

Unrepresentable read_unrepresentable(const std::string& option) {
    if (option == "error") return Unrepresentable::error;
    return option == "null" ? Unrepresentable::null : Unrepresentable::text;
}

bool becomes_null(Unrepresentable policy, const fanout_column& column, std::string_view what) {
    if (policy == Unrepresentable::text) return false;
    constexpr unsigned kNeverNull = FANOUT_COLUMN_NOT_NULL | FANOUT_COLUMN_PRIMARY_KEY;
    const bool may_be_null = (column.flags & kNeverNull) == 0;
    if (policy == Unrepresentable::null && may_be_null) return true;
    std::string message = "column \"" + std::string(connector::view(column.name)) + "\" (" +
                          std::string(connector::view(column.type_name)) + ") holds ";
    message += what;
    message += ", which the target cannot";
    throw connector::ConnectorError(
        FANOUT_REJECT, message,
        "set \"unrepresentable\": \"text\" in the target's options, or correct the row at the "
        "source");
}

void append_bytes_as_hex(std::string& out, const fanout_value& value) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::span<const std::uint8_t> bytes(value.data, value.size);
    if (bytes.size() >= 2 && std::memcmp(bytes.data(), kNoUtf8, sizeof kNoUtf8) == 0)
        bytes = bytes.subspan(2);
    out.reserve(out.size() + 2 + 2 * bytes.size());
    out += "\\x";
    for (const std::uint8_t byte : bytes) {
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
}

}  // namespace fanout::kit
