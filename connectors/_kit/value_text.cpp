// One function per kind of stored form, chosen through the table in stored_types.hpp.
#include "_kit/value_text.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "_kit/date_time_text.hpp"
#include "_kit/network_order.hpp"
#include "_kit/numeric.hpp"
#include "_kit/stored_types.hpp"
#include "fanout/base/lsn_text.hpp"

namespace fanout::kit {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

template <typename T>
void append_integer(std::string& out, T value) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

/// "-1.2345" with exponent 2 becomes "-123.45": the same digits, the point elsewhere. Shortest
/// digits are dear to find, and a second to_chars would find them again.
void append_plain_notation(std::string& out, std::string_view scientific, int exponent) {
    char digits[32], plain[64];
    std::size_t count = 0;
    char* to = plain;
    for (const char c : scientific) {
        if (c == '-')
            *to++ = c;
        else if (c != '.')
            digits[count++] = c;
    }
    const std::size_t whole = exponent < 0 ? 0 : static_cast<std::size_t>(exponent) + 1;
    if (whole == 0) *to++ = '0';
    for (std::size_t i = 0; i < whole; ++i)
        *to++ = i < count ? digits[i] : '0';
    if (whole < count) *to++ = '.';
    for (int i = exponent + 1; i < 0; ++i)
        *to++ = '0';
    for (std::size_t i = whole; i < count; ++i)
        *to++ = digits[i];
    out.append(plain, to);
}

// The shortest digits that read back exactly; plain notation for exponents PostgreSQL prints so.
template <typename T>
void append_float(std::string& out, T value) {
    if (std::isnan(value)) {
        out += "NaN";
        return;
    }
    if (std::isinf(value)) {
        out += value < 0 ? "-Infinity" : "Infinity";
        return;
    }
    if (value == 0) {
        out += std::signbit(value) ? "-0" : "0";
        return;
    }
    char text[64];
    char* const end =
        std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
    const char* exponent_at = end;
    while (*--exponent_at != 'e') {
    }
    int exponent = 0;
    const bool minus = exponent_at[1] == '-';
    std::from_chars(exponent_at + 2, end, exponent);
    if (minus) exponent = -exponent;
    if (exponent < -4 || exponent >= std::numeric_limits<T>::digits10) {
        out.append(text, end);
        return;
    }
    append_plain_notation(out, {text, static_cast<std::size_t>(exponent_at - text)}, exponent);
}

char* put_hex_byte(char* to, std::uint8_t byte) {
    *to++ = kHexDigits[byte >> 4];
    *to++ = kHexDigits[byte & 15];
    return to;
}

void append_uuid(std::string& out, const std::uint8_t* data) {
    char text[36];
    char* to = text;
    for (int i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
        to = put_hex_byte(to, data[i]);
    }
    out.append(text, sizeof text);
}

void append_macaddr(std::string& out, const std::uint8_t* data, unsigned width) {
    char text[2];
    for (unsigned i = 0; i < width; ++i) {
        if (i > 0) out += ':';
        put_hex_byte(text, data[i]);
        out.append(text, sizeof text);
    }
}

void append_money(std::string& out, std::int64_t cents) {
    const std::uint64_t size =
        cents < 0 ? 0 - static_cast<std::uint64_t>(cents) : static_cast<std::uint64_t>(cents);
    if (cents < 0) out += '-';
    out += '$';
    const std::string whole = std::to_string(size / 100);
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (i > 0 && (whole.size() - i) % 3 == 0) out += ',';
        out += whole[i];
    }
    out += '.';
    out += static_cast<char>('0' + size % 100 / 10);
    out += static_cast<char>('0' + size % 10);
}

// A byte above 127 is not a character of its own in UTF-8; charin reads the octal form from 16 on.
void append_single_char(std::string& out, std::uint8_t byte) {
    if (byte == 0) return;
    if (byte < 128) {
        out += static_cast<char>(byte);
        return;
    }
    out += '\\';
    out += static_cast<char>('0' + (byte >> 6));
    out += static_cast<char>('0' + (byte >> 3 & 7));
    out += static_cast<char>('0' + (byte & 7));
}

void append_tid(std::string& out, const std::uint8_t* data) {
    const auto block =
        static_cast<std::uint32_t>(load<std::uint16_t>(data)) << 16 | load<std::uint16_t>(data + 2);
    out += '(';
    append_integer(out, block);
    out += ',';
    append_integer(out, load<std::uint16_t>(data + 4));
    out += ')';
}

void append_floats(std::string& out, const std::uint8_t* data, unsigned first, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        if (i > 0) out += ',';
        append_float(out, load<double>(data + 8 * (first + i)));
    }
}

void append_pair(std::string& out, const std::uint8_t* data, unsigned first) {
    out += '(';
    append_floats(out, data, first, 2);
    out += ')';
}

void append_shape(std::string& out, TextKind kind, const std::uint8_t* data) {
    switch (kind) {
        case TextKind::point:
            append_pair(out, data, 0);
            break;
        case TextKind::lseg:
            out += '[';
            append_pair(out, data, 0);
            out += ',';
            append_pair(out, data, 2);
            out += ']';
            break;
        case TextKind::box:
            append_pair(out, data, 0);
            out += ',';
            append_pair(out, data, 2);
            break;
        case TextKind::line:
            out += '{';
            append_floats(out, data, 0, 3);
            out += '}';
            break;
        default:
            out += '<';
            append_pair(out, data, 0);
            out += ',';
            append_floats(out, data, 2, 1);
            out += '>';
    }
}

void append_moment(std::string& out, TextKind kind, const std::uint8_t* data) {
    switch (kind) {
        case TextKind::date:
            append_date(out, load<std::int32_t>(data));
            break;
        case TextKind::time:
            append_time(out, load<std::int64_t>(data));
            break;
        case TextKind::timetz:
            append_timetz(out, load<std::int64_t>(data), load<std::int32_t>(data + 8));
            break;
        case TextKind::timestamp:
            append_timestamp(out, load<std::int64_t>(data));
            break;
        case TextKind::timestamptz:
            append_timestamptz(out, load<std::int64_t>(data));
            break;
        default:
            append_interval(out, load<std::int64_t>(data), load<std::int32_t>(data + 8),
                            load<std::int32_t>(data + 12));
    }
}

void append_fixed(std::string& out, const StoredType& type, const std::uint8_t* data) {
    switch (type.text) {
        case TextKind::boolean:
            out += data[0] != 0 ? 't' : 'f';
            break;
        case TextKind::int2:
            append_integer(out, load<std::int16_t>(data));
            break;
        case TextKind::int4:
            append_integer(out, load<std::int32_t>(data));
            break;
        case TextKind::int8:
            append_integer(out, load<std::int64_t>(data));
            break;
        case TextKind::uint4:
            append_integer(out, load<std::uint32_t>(data));
            break;
        case TextKind::uint8:
            append_integer(out, load<std::uint64_t>(data));
            break;
        case TextKind::float4:
            append_float(out, load<float>(data));
            break;
        case TextKind::float8:
            append_float(out, load<double>(data));
            break;
        case TextKind::uuid:
            append_uuid(out, data);
            break;
        case TextKind::money:
            append_money(out, load<std::int64_t>(data));
            break;
        case TextKind::macaddr:
            append_macaddr(out, data, type.width);
            break;
        case TextKind::single_char:
            append_single_char(out, data[0]);
            break;
        case TextKind::lsn:
            out += lsn_text(load<std::uint64_t>(data));
            break;
        case TextKind::tid:
            append_tid(out, data);
            break;
        case TextKind::date:
        case TextKind::time:
        case TextKind::timetz:
        case TextKind::timestamp:
        case TextKind::timestamptz:
        case TextKind::interval:
            append_moment(out, type.text, data);
            break;
        case TextKind::point:
        case TextKind::lseg:
        case TextKind::box:
        case TextKind::line:
        case TextKind::circle:
            append_shape(out, type.text, data);
            break;
    }
}

}  // namespace

void append_bytea_hex(std::string& out, const std::uint8_t* data, std::size_t size) {
    const std::size_t start = out.size();
    out.resize(start + 2 + 2 * size);
    char* to = out.data() + start;
    *to++ = '\\';
    *to++ = 'x';
    for (std::size_t i = 0; i < size; ++i) {
        *to++ = kHexDigits[data[i] >> 4];
        *to++ = kHexDigits[data[i] & 15];
    }
}

void append_text(std::string& out, const fanout_column& column, const fanout_value& value) {
    const auto name = [&] { return std::string(column.name.data, column.name.size); };
    switch (column.value_class) {
        case FANOUT_FIXED: {
            const StoredType* type = find_stored_type(column.type_oid);
            if (type == nullptr || type->width != value.size)
                throw std::invalid_argument("column \"" + name() + "\": type " +
                                            std::to_string(column.type_oid) +
                                            " has no stored form of this width");
            append_fixed(out, *type, value.data);
            return;
        }
        case FANOUT_NUMERIC:
            try {
                append_numeric_text(out, read_numeric({value.data, value.size}));
            } catch (const std::invalid_argument& bad) {
                throw std::invalid_argument("column \"" + name() + "\": " + bad.what());
            }
            return;
        case FANOUT_BYTES:
            if (column.type_oid == type_oid::kBytea) {
                append_bytea_hex(out, value.data, value.size);
                return;
            }
            [[fallthrough]];
        default:
            out.append(reinterpret_cast<const char*>(value.data), value.size);
    }
}

std::string value_text(const fanout_column& column, const fanout_value& value) {
    std::string out;
    append_text(out, column, value);
    return out;
}

}  // namespace fanout::kit
