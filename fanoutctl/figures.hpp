// Numbers, sizes, times and names as a person reads them in a narrow column. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fanout::ctl {

/// 999, 12,345, 1.23 M: at most seven characters.
std::string count_text(double value);
/// 512 B, 4.2 kB, 16 MB: powers of 1024, like the server writes them.
std::string size_text(double bytes);
/// 0.04 s, 12 s, 3:07, 2:03:07, 3 d 4 h. Negative: "".
std::string duration_text(double seconds);

/// Columns of a terminal that the text takes. UTF-8; wide characters count twice.
std::size_t width_of(std::string_view text);
/// Names come from the catalog, and a terminal obeys what it is sent: control characters and
/// malformed UTF-8 become '?'.
std::string printable(std::string_view text);
/// Cut to `width`, with "…" (or "~") at the cut.
std::string cut(std::string_view text, std::size_t width, bool unicode);

}  // namespace fanout::ctl
