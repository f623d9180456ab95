// stream.json: whose journal stands beside it, and the last epoch this daemon attached with.
//
// The epoch has to survive a restart: lanes deliver what the journal holds even if the stream
// cannot be attached, and a target must be able to tell this daemon from a newer one.
#pragma once

#include <cstdint>
#include <string>

#include "fanout/base/status.hpp"

namespace fanout::stream {

struct StreamFile {
    std::string identity;
    std::uint64_t epoch = 0;  // 0: never attached
    std::string damage{};     // what the journal lost since the last attachment; empty: nothing
};

/// An empty identity if there is no file yet.
Result<StreamFile> load_stream_file(const std::string& directory);
Status save_stream_file(const std::string& directory, const StreamFile& content);

}  // namespace fanout::stream
