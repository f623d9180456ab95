// Dates, times and intervals in PostgreSQL's ISO text form. Numbers are the stored ones: days or
// microseconds since 2000-01-01, the extreme values standing for infinity. Stateless.
#pragma once

#include <cstdint>
#include <string>

namespace fanout::kit {

void append_date(std::string& out, std::int32_t days);
void append_time(std::string& out, std::int64_t microseconds);
/// `zone_seconds_west` as timetz stores it: positive to the west of Greenwich.
void append_timetz(std::string& out, std::int64_t microseconds, std::int32_t zone_seconds_west);
void append_timestamp(std::string& out, std::int64_t microseconds);
/// In UTC, with the offset "+00".
void append_timestamptz(std::string& out, std::int64_t microseconds);
void append_interval(std::string& out, std::int64_t microseconds, std::int32_t days,
                     std::int32_t months);

}  // namespace fanout::kit
