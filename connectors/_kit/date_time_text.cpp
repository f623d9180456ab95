// Follows datetime.c and timestamp.c: proleptic Gregorian calendar, year 0 written as 1 BC.
#include "_kit/date_time_text.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace fanout::kit {
namespace {

constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
constexpr std::int64_t kMicrosecondsPerDay = 86'400 * kMicrosecondsPerSecond;
constexpr std::int64_t kDaysFrom0000March = 730'425;  // 0000-03-01 to 2000-01-01

struct Day {
    std::int64_t year;
    int month, day;
};

// Howard Hinnant's civil_from_days, on an era of 400 years that begins on the 1st of March.
Day civil(std::int64_t days_since_2000) {
    const std::int64_t z = days_since_2000 + kDaysFrom0000March;
    const std::int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
    const std::int64_t of_era = z - era * 146'097;
    const std::int64_t year_of_era =
        (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
    const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t shifted = (5 * of_year + 2) / 153;
    const int day = static_cast<int>(of_year - (153 * shifted + 2) / 5 + 1);
    const int month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
    return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

// Every part goes through a few bytes of its own: appending digit by digit was a third of the cost
// of a row, and so was printf.

/// Two digits.
char* put_pair(char* to, int value) {
    *to++ = static_cast<char>('0' + value / 10);
    *to++ = static_cast<char>('0' + value % 10);
    return to;
}

/// At least `width` digits, zeros in front.
char* put_padded(char* to, std::uint64_t value, int width) {
    char digits[20];
    char* const end = digits + sizeof digits;
    char* at = end;
    for (; value > 0 || width > 0; value /= 10, --width)
        *--at = static_cast<char>('0' + value % 10);
    return std::copy(at, end, to);
}

constexpr int kCivilSizeMax = 32, kTimeSizeMax = 40;

char* put_civil(char* to, const Day& day) {
    to = put_padded(to, static_cast<std::uint64_t>(day.year > 0 ? day.year : 1 - day.year), 4);
    *to++ = '-';
    to = put_pair(to, day.month);
    *to++ = '-';
    return put_pair(to, day.day);
}

char* put_time(char* to, std::uint64_t microseconds) {
    const std::uint64_t seconds = microseconds / kMicrosecondsPerSecond;
    const std::uint64_t fraction = microseconds % kMicrosecondsPerSecond;
    to = put_padded(to, seconds / 3600, 2);
    *to++ = ':';
    to = put_pair(to, static_cast<int>(seconds / 60 % 60));
    *to++ = ':';
    to = put_pair(to, static_cast<int>(seconds % 60));
    if (fraction == 0) return to;
    *to++ = '.';
    to = put_padded(to, fraction, 6);
    while (to[-1] == '0')
        --to;
    return to;
}

// Returns false if there was an infinity to write and it is written.
template <typename T>
bool is_finite(std::string& out, T value) {
    if (value == std::numeric_limits<T>::max())
        out += "infinity";
    else if (value == std::numeric_limits<T>::min())
        out += "-infinity";
    else
        return true;
    return false;
}

void append_moment(std::string& out, std::int64_t microseconds, const char* zone) {
    if (!is_finite(out, microseconds)) return;
    std::int64_t days = microseconds / kMicrosecondsPerDay;
    std::int64_t rest = microseconds % kMicrosecondsPerDay;
    if (rest < 0) {
        rest += kMicrosecondsPerDay;
        --days;
    }
    const Day day = civil(days);
    char text[kCivilSizeMax + kTimeSizeMax];
    char* end = put_civil(text, day);
    *end++ = ' ';
    out.append(text, put_time(end, static_cast<std::uint64_t>(rest)));
    out += zone;
    if (day.year <= 0) out += " BC";
}

// One unit of an interval; a positive part behind a negative one shows its sign.
void append_part(std::string& out, std::int64_t value, const char* unit, bool& nothing_yet,
                 bool& was_negative) {
    if (value == 0) return;
    if (!nothing_yet) out += ' ';
    if (was_negative && value > 0) out += '+';
    out += std::to_string(value);
    out += ' ';
    out += unit;
    if (value != 1) out += 's';
    was_negative = value < 0;
    nothing_yet = false;
}

}  // namespace

void append_date(std::string& out, std::int32_t days) {
    if (!is_finite(out, days)) return;
    const Day day = civil(days);
    char text[kCivilSizeMax];
    out.append(text, put_civil(text, day));
    if (day.year <= 0) out += " BC";
}

void append_time(std::string& out, std::int64_t microseconds) {
    // Unsigned: the magnitude of the smallest interval needs the 64th bit.
    char text[kTimeSizeMax];
    out.append(text, put_time(text, static_cast<std::uint64_t>(microseconds)));
}

void append_timetz(std::string& out, std::int64_t microseconds, std::int32_t zone_seconds_west) {
    append_time(out, microseconds);
    const std::int64_t east = -static_cast<std::int64_t>(zone_seconds_west);
    const auto size = static_cast<int>(east < 0 ? -east : east);
    char text[64];
    std::snprintf(text, sizeof text, "%c%02d", east < 0 ? '-' : '+', size / 3600);
    out += text;
    if (size % 3600 == 0) return;
    std::snprintf(text, sizeof text, ":%02d", size / 60 % 60);
    out += text;
    if (size % 60 == 0) return;
    std::snprintf(text, sizeof text, ":%02d", size % 60);
    out += text;
}

void append_timestamp(std::string& out, std::int64_t microseconds) {
    append_moment(out, microseconds, "");
}

void append_timestamptz(std::string& out, std::int64_t microseconds) {
    append_moment(out, microseconds, "+00");
}

void append_interval(std::string& out, std::int64_t microseconds, std::int32_t days,
                     std::int32_t months) {
    using Limits64 = std::numeric_limits<std::int64_t>;
    using Limits32 = std::numeric_limits<std::int32_t>;
    if (days == months && days == Limits32::max() && microseconds == Limits64::max()) {
        out += "infinity";
        return;
    }
    if (days == months && days == Limits32::min() && microseconds == Limits64::min()) {
        out += "-infinity";
        return;
    }
    bool nothing_yet = true, was_negative = false;
    append_part(out, months / 12, "year", nothing_yet, was_negative);
    append_part(out, months % 12, "mon", nothing_yet, was_negative);
    append_part(out, days, "day", nothing_yet, was_negative);
    if (microseconds == 0 && !nothing_yet) return;
    if (!nothing_yet) out += ' ';
    if (microseconds < 0)
        out += '-';
    else if (was_negative)
        out += '+';
    // Hours do not wrap at a day; the magnitude of the smallest value fits the unsigned type.
    const std::uint64_t size = microseconds < 0 ? 0 - static_cast<std::uint64_t>(microseconds)
                                                : static_cast<std::uint64_t>(microseconds);
    append_time(out, static_cast<std::int64_t>(size));
}

}  // namespace fanout::kit
