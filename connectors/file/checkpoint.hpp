// The few bytes beside the target file that say how much of it counts, whose it is and where the
// source stood: <path>.checkpoint. Replaced as a whole, so a reader finds the old or the new one.
//
// Lane's thread. Never reports a checkpoint as written that might not survive a power loss.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "fanout/connector/abi.h"

namespace fanout::file_target {

struct Checkpoint {
    std::string subscription;
    std::string stream_identity;
    std::uint64_t epoch = 0;
    std::uint64_t length = 0;     // bytes of the file that count
    std::uint64_t tail_hash = 0;  // of the last kTailBytes of them
    fanout_cursor cursor{};
    std::map<std::string, std::string> notes;  // the host's
};

/// How much of the file's end the checkpoint vouches for.
inline constexpr std::size_t kTailBytes = 4096;

std::string checkpoint_path(const std::string& file_path);

/// Nothing if there is none. FATAL if it is not a checkpoint of this version.
std::optional<Checkpoint> read_checkpoint(const std::string& file_path);

/// Spare file (<path>.checkpoint.tmp), fsync, exchange of the names, fsync of the directory.
void write_checkpoint(const std::string& file_path, int directory, const Checkpoint& checkpoint);

}  // namespace fanout::file_target
