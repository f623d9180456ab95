// What status, watch and check print: from rows to lines. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "fanoutctl/snapshot.hpp"
#include "fanoutctl/table.hpp"

namespace fanout::ctl {

struct FrameOptions {
    bool every_backfill = false;  // also those that are complete
    std::string notice;           // shown under the title: the connection is lost, …
    std::string keys;             // the last line
};

std::vector<std::string> frame_lines(const Snapshot& snapshot, const FrameOptions& options,
                                     const Look& look);
std::vector<std::string> check_lines(const std::vector<CheckRow>& rows, const Look& look);

/// Whether a check found what keeps something from running.
bool has_error(const std::vector<CheckRow>& rows);

}  // namespace fanout::ctl
