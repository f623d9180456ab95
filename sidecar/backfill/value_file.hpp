// Values too large to be held in memory, for as long as the rows they belong to are on their way.
//
// They stand in one file without a name beside the journal's segments, each from a page of its own
// on, and are mapped: pages that the system may take back. So a value of a gigabyte costs room on
// the disk, and fanoutd's own memory stays what it is. INVARIANT: what was mapped stays where it
// is, and is there to the last byte, until this goes. Filled by one thread, then read-only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fanout/base/status.hpp"
#include "fanout/connector/abi.h"

namespace fanout::backfill {

class ValueFile {
  public:
    static Result<std::unique_ptr<ValueFile>> make(const std::string& directory);
    ~ValueFile();
    ValueFile(const ValueFile&) = delete;
    ValueFile& operator=(const ValueFile&) = delete;

    /// A value begins; one that was not ended is forgotten.
    void begin();
    Status append(std::string_view bytes);
    /// All that was appended since begin().
    Result<fanout_value> end();

    std::uint64_t bytes() const { return value_bytes_; }

  private:
    struct Mapping {
        void* at;
        std::size_t size;
    };
    ValueFile(std::string directory, int file) : directory_(std::move(directory)), file_(file) {}
    Status failed(const char* what) const;

    const std::string directory_;
    const int file_;
    std::uint64_t begun_ = 0, end_ = 0;  // where in the file the value at hand begins and ends
    std::uint64_t value_bytes_ = 0;
    std::vector<Mapping> mappings_;
};

}  // namespace fanout::backfill
