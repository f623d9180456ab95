// Fixed types by the pattern in stored_types.hpp, payloads as they are, numeric re-headed.
#include "_kit/value_binary.hpp"

#include <stdexcept>

#include "_kit/network_order.hpp"
#include "_kit/numeric.hpp"
#include "_kit/stored_types.hpp"

namespace fanout::kit {
namespace {

void append_pattern(std::string& out, std::string_view pattern, const std::uint8_t* data) {
    if (pattern.front() == 'b') {  // then all of it is
        out.append(reinterpret_cast<const char*>(data), pattern.size());
        return;
    }
    for (const char field : pattern) {
        switch (field) {
            case '8':
                append_network(out, load<std::uint64_t>(data));
                data += 8;
                break;
            case '4':
                append_network(out, load<std::uint32_t>(data));
                data += 4;
                break;
            case '2':
                append_network(out, load<std::uint16_t>(data));
                data += 2;
                break;
            default:
                out += static_cast<char>(*data++);
        }
    }
}

// Not xml: its receive function converts from the encoding that the XML declaration names, which
// has meant nothing since the value was stored.
bool is_payload_type(std::uint32_t oid) {
    switch (oid) {
        case type_oid::kBytea:
        case type_oid::kName:
        case type_oid::kText:
        case type_oid::kJson:
        case type_oid::kBpchar:
        case type_oid::kVarchar:
            return true;
        default:
            return false;
    }
}

}  // namespace

bool has_binary_form(const fanout_column& column) {
    switch (column.value_class) {
        case FANOUT_FIXED: {
            const StoredType* type = find_stored_type(column.type_oid);
            return type != nullptr && type->width == column.width;
        }
        case FANOUT_BYTES:
            return is_payload_type(column.type_oid);
        case FANOUT_NUMERIC:
            return true;
        default:
            return false;
    }
}

void append_binary(std::string& out, const fanout_column& column, const fanout_value& value) {
    switch (column.value_class) {
        case FANOUT_FIXED:
            if (const StoredType* type = find_stored_type(column.type_oid);
                type != nullptr && type->width == value.size) {
                append_pattern(out, type->pattern, value.data);
                return;
            }
            break;
        case FANOUT_BYTES:
            out.append(reinterpret_cast<const char*>(value.data), value.size);
            return;
        case FANOUT_NUMERIC:
            append_numeric_binary(out, read_numeric({value.data, value.size}));
            return;
        default:
            break;
    }
    throw std::invalid_argument("column \"" + std::string(column.name.data, column.name.size) +
                                "\": type " + std::to_string(column.type_oid) +
                                " has no binary form of this width");
}

}  // namespace fanout::kit
