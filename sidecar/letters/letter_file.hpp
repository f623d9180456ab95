// The two files of a dead letter: what is written into them, and how it is read. See
// dead_letters.hpp for their names. No state.
#pragma once

#include <string>

#include "fanout/base/status.hpp"
#include "sidecar/letters/dead_letters.hpp"

namespace fanout::letters {

/// The first line of a letter: the records, `relation` then `change`, stand behind it.
std::string header_line(const Letter& letter, const LetterRecords& records);
/// The letter whose file this is, without its records. Raises what it stumbles over.
Letter read_letter(const std::string& path);
/// Where the records are in the `size` bytes of a letter.
Status find_records(const std::uint8_t* bytes, std::size_t size, LetterRecords& out);

std::string fate_line(const Letter& letter);
/// What became of `letter`. Raises what it stumbles over.
void read_fate(const std::string& path, Letter& letter);

}  // namespace fanout::letters
