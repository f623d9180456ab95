// The worker's two segments in this process: records read-only and twice in a row, the
// acknowledgement segment writable.
//
// Owns the mappings. Nothing the worker sent is believed: sizes, seals, magic, version, epoch and
// capacity are checked before the first byte of a record is looked at.
#pragma once

#include <cstdint>

#include "fanout/base/status.hpp"
#include "fanout/ring/ring_layout.hpp"

namespace fanout::drain {

class WorkerConnection;

class RingMapping {
  public:
    /// Maps what the welcome brought. fatal: another version; corruption: anything else.
    static Result<RingMapping> map(const WorkerConnection& connection);
    static Result<RingMapping> map(int data_fd, int ack_fd, std::uint64_t capacity,
                                   std::uint32_t epoch);

    RingMapping(RingMapping&& other) noexcept;
    RingMapping& operator=(RingMapping&& other) noexcept;
    ~RingMapping();

    const ring::DataHeader* header() const;
    ring::AckHeader* ack() const;
    const std::uint8_t* data() const { return data_ + ring::kHeaderBytes; }
    std::uint64_t capacity() const { return capacity_; }

  private:
    RingMapping() = default;
    void unmap();
    Status map_data(int fd);
    Status map_ack(int fd);
    Status check_headers(std::uint32_t epoch) const;

    std::uint8_t* data_ = nullptr;  // header page, records, records again
    std::uint8_t* ack_ = nullptr;
    std::uint64_t capacity_ = 0;
};

}  // namespace fanout::drain
