// A record that came in pieces, put together again.
//
// A large one is not held in memory: it stands in a file without a name beside the segments, and is
// mapped for as long as somebody looks at it. So a value of a gigabyte costs room on the disk and
// pages that the system may take back, and fanoutd's own memory stays what it is. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "fanout/base/status.hpp"
#include "fanout/wire/record_reader.hpp"

namespace fanout::journal {

class WholeRecord {
  public:
    /// Room for `size` bytes; a file of `directory` if that is much.
    static Result<std::unique_ptr<WholeRecord>> make(std::uint64_t size,
                                                     const std::string& directory);
    ~WholeRecord();
    WholeRecord(const WholeRecord&) = delete;
    WholeRecord& operator=(const WholeRecord&) = delete;

    /// Behind what was appended; never more than `size` in all.
    Status append(wire::Bytes piece);
    std::uint64_t filled() const { return filled_; }
    /// All of it, once it is there; valid as long as this is.
    Result<wire::Bytes> bytes();

  private:
    explicit WholeRecord(std::uint64_t size) : size_(size) {}

    const std::uint64_t size_;
    std::uint64_t filled_ = 0;
    std::unique_ptr<std::uint8_t[]> memory_;  // null: it stands in the file
    int file_ = -1;
    void* mapped_ = nullptr;
};

}  // namespace fanout::journal
