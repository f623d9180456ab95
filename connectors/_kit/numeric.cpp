// The header bits are those of PostgreSQL's numeric.c (NUMERIC_SHORT_*, NUMERIC_EXT_*).
#include "_kit/numeric.hpp"

#include <stdexcept>

#include "_kit/network_order.hpp"

namespace fanout::kit {
namespace {

constexpr std::uint16_t kSignMask = 0xC000, kNegative = 0x4000, kShort = 0x8000, kSpecial = 0xC000;
constexpr std::uint16_t kSpecialMask = 0xF000, kPositiveInfinity = 0xD000,
                        kNegativeInfinity = 0xF000;
constexpr std::uint16_t kShortNegative = 0x2000, kShortScaleMask = 0x1F80, kShortScaleShift = 7;
constexpr std::uint16_t kShortWeightSign = 0x0040, kShortWeightMask = 0x003F;
constexpr std::uint16_t kLongScaleMask = 0x3FFF;
constexpr unsigned kDigitsPerGroup = 4;

Numeric::Kind special_kind(std::uint16_t header) {
    switch (header & kSpecialMask) {
        case kPositiveInfinity:
            return Numeric::Kind::positive_infinity;
        case kNegativeInfinity:
            return Numeric::Kind::negative_infinity;
        default:
            return Numeric::Kind::nan;
    }
}

/// The digits of a group of four; `group` is below 10000.
void put_group(char* to, unsigned group) {
    to[0] = static_cast<char>('0' + group / 1000);
    to[1] = static_cast<char>('0' + group / 100 % 10);
    to[2] = static_cast<char>('0' + group / 10 % 10);
    to[3] = static_cast<char>('0' + group % 10);
}

void append_group(std::string& out, std::uint16_t group, unsigned count) {
    char text[4];
    put_group(text, group);
    out.append(text, count);
}

/// Without zeros in front, but at least one digit.
void append_first_group(std::string& out, std::uint16_t group) {
    char text[4];
    put_group(text, group);
    const unsigned zeros = group >= 1000 ? 0 : group >= 100 ? 1 : group >= 10 ? 2 : 3;
    out.append(text + zeros, 4 - zeros);
}

}  // namespace

std::uint16_t Numeric::digit(std::uint32_t i) const {
    return load<std::uint16_t>(digits + 2 * static_cast<std::size_t>(i));
}

Numeric read_numeric(std::span<const std::uint8_t> stored) {
    if (stored.size() < 2 || stored.size() % 2 != 0)
        throw std::invalid_argument("a stored numeric has an even size of at least 2 bytes");
    const auto header = load<std::uint16_t>(stored.data());
    Numeric out;
    std::size_t header_size = 2;
    if ((header & kSignMask) == kSpecial) {
        out.kind = special_kind(header);
        out.dscale = (header & kShortScaleMask) >> kShortScaleShift;  // as numeric_send reads it
        return out;
    }
    if ((header & kShort) != 0) {
        out.negative = (header & kShortNegative) != 0;
        out.dscale = (header & kShortScaleMask) >> kShortScaleShift;
        out.weight = header & kShortWeightMask;
        if ((header & kShortWeightSign) != 0) out.weight -= kShortWeightMask + 1;
    } else {
        if (stored.size() < 4) throw std::invalid_argument("a stored numeric ends in its header");
        header_size = 4;
        out.negative = (header & kSignMask) == kNegative;
        out.dscale = header & kLongScaleMask;
        out.weight = load<std::int16_t>(stored.data() + 2);
    }
    out.digits = stored.data() + header_size;
    out.digit_count = static_cast<std::uint32_t>((stored.size() - header_size) / 2);
    for (std::uint32_t i = 0; i < out.digit_count; ++i)
        if (out.digit(i) > 9999) throw std::invalid_argument("a stored numeric has a bad digit");
    return out;
}

void append_numeric_text(std::string& out, const Numeric& value) {
    switch (value.kind) {
        case Numeric::Kind::nan:
            out += "NaN";
            return;
        case Numeric::Kind::positive_infinity:
            out += "Infinity";
            return;
        case Numeric::Kind::negative_infinity:
            out += "-Infinity";
            return;
        case Numeric::Kind::finite:
            break;
    }
    const auto group_at = [&](std::int64_t i) -> std::uint16_t {
        return i >= 0 && i < value.digit_count ? value.digit(static_cast<std::uint32_t>(i)) : 0;
    };
    if (value.negative) out += '-';
    if (value.weight < 0) {
        out += '0';
    } else {
        append_first_group(out, group_at(0));
        for (std::int64_t i = 1; i <= value.weight; ++i)
            append_group(out, group_at(i), kDigitsPerGroup);
    }
    if (value.dscale == 0) return;
    out += '.';
    std::int64_t i = static_cast<std::int64_t>(value.weight) + 1;
    for (std::uint32_t left = value.dscale; left > 0; ++i) {
        const unsigned count = left < kDigitsPerGroup ? left : kDigitsPerGroup;
        append_group(out, group_at(i), count);
        left -= count;
    }
}

void append_numeric_binary(std::string& out, const Numeric& value) {
    std::uint16_t sign = value.negative ? kNegative : 0;
    if (value.kind == Numeric::Kind::nan) sign = kSpecial;
    if (value.kind == Numeric::Kind::positive_infinity) sign = kPositiveInfinity;
    if (value.kind == Numeric::Kind::negative_infinity) sign = kNegativeInfinity;
    append_network(out, static_cast<std::uint16_t>(value.digit_count));
    append_network(out, static_cast<std::int16_t>(value.weight));
    append_network(out, sign);
    append_network(out, static_cast<std::uint16_t>(value.dscale));
    for (std::uint32_t i = 0; i < value.digit_count; ++i)
        append_network(out, value.digit(i));
}

}  // namespace fanout::kit
