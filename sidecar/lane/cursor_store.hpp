// Where a lane stands, in a file of the state directory.
//
// For a connector that keeps its cursor in the target this is only a hint: how much journal a
// paused or unreachable target still needs, and the counters. For the others it is the cursor.
// One file per subscription, replaced by write, fsync, rename; one thread per file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "fanout/connector/abi.h"
#include "sidecar/lane/table_cache.hpp"

namespace fanout::lane {

struct StoredCursor {
    Lsn start_lsn = 0;  // commit of the subscription's creation, once it was seen
    fanout_cursor cursor{};
    std::uint64_t rows_read = 0;
    std::uint64_t rows_delivered = 0;
    std::uint64_t rows_filtered = 0;
    std::uint64_t transactions = 0;
    Lsn filtered_up_to = 0;                    // the transactions that rows_filtered counts
    std::map<std::string, std::string> notes;  // of copies, for a target that keeps none
    std::vector<TableCount> tables;
};

class CursorStore {
  public:
    CursorStore(const std::string& directory, std::uint32_t subscription,
                std::string stream_identity);

    /// All zero if there is none, or if it belongs to another slot. corruption: the file is not
    /// what was written.
    Result<StoredCursor> load() const;
    Status save(const StoredCursor& stored) const;
    /// The subscription is gone.
    void remove() const;

  private:
    std::string path_, stream_identity_;
};

}  // namespace fanout::lane
