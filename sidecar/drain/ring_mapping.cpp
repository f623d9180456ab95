// Maps and checks the segments of one attachment.
#include "sidecar/drain/ring_mapping.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <utility>

#include "sidecar/drain/worker_connection.hpp"
#include "sidecar/journal/files.hpp"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace fanout::drain {

namespace {

constexpr int kSealsAgainstResizing = F_SEAL_SHRINK | F_SEAL_GROW;

Status refused(const std::string& what) {
    return Status::corruption("the decoding worker's ring is refused: " + what);
}

/// A segment that could shrink could kill this process, one that is writable here could be written
/// by mistake: without its seals it is not the worker's.
Status check_segment(int fd, std::uint64_t size, int seals, const char* name) {
    struct stat facts {};
    if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return refused(std::string(name) + " segment is not memory");
    }
    if (static_cast<std::uint64_t>(facts.st_size) != size) {
        return refused(std::string(name) + " segment has " + std::to_string(facts.st_size) +
                       " bytes instead of " + std::to_string(size));
    }
    const int present = ::fcntl(fd, F_GET_SEALS);
    if (present < 0 || (present & seals) != seals) {
        return refused(std::string(name) + " segment is not sealed");
    }
    return Status::ok();
}

Status check_version(std::uint32_t version) {
    if (version == ring::kRingVersion) return Status::ok();
    return Status::fatal("the ring is of version " + std::to_string(version) +
                         ", this fanoutd reads " + std::to_string(ring::kRingVersion) +
                         "; extension and fanoutd must be of one version");
}

}  // namespace

Result<RingMapping> RingMapping::map(const WorkerConnection& connection) {
    return map(connection.descriptor(ring::kDataSegment), connection.descriptor(ring::kAckSegment),
               connection.welcome().capacity, connection.epoch());
}

Result<RingMapping> RingMapping::map(int data_fd, int ack_fd, std::uint64_t capacity,
                                     std::uint32_t epoch) {
    RingMapping mapping;
    mapping.capacity_ = capacity;
    if (auto status = check_segment(data_fd, ring::kHeaderBytes + capacity,
                                    kSealsAgainstResizing | F_SEAL_FUTURE_WRITE, "data");
        !status.is_ok()) {
        return status;
    }
    if (auto status = check_segment(ack_fd, ring::kAckBytes, kSealsAgainstResizing, "ack");
        !status.is_ok()) {
        return status;
    }
    if (auto status = mapping.map_data(data_fd); !status.is_ok()) return status;
    if (auto status = mapping.map_ack(ack_fd); !status.is_ok()) return status;
    if (auto status = mapping.check_headers(epoch); !status.is_ok()) return status;
    return mapping;
}

Status RingMapping::map_data(int fd) {
    const std::size_t once = ring::kHeaderBytes + capacity_;
    void* range = ::mmap(nullptr, once + capacity_, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return journal::file_error("cannot map", "the ring", errno);
    data_ = static_cast<std::uint8_t*>(range);
    const int flags = MAP_SHARED | MAP_FIXED;
    if (::mmap(data_, once, PROT_READ, flags, fd, 0) == MAP_FAILED ||
        ::mmap(data_ + once, capacity_, PROT_READ, flags, fd, ring::kHeaderBytes) == MAP_FAILED) {
        return journal::file_error("cannot map", "the ring", errno);
    }
    return Status::ok();
}

Status RingMapping::map_ack(int fd) {
    void* place = ::mmap(nullptr, ring::kAckBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (place == MAP_FAILED) {
        return journal::file_error("cannot map", "the acknowledgements", errno);
    }
    ack_ = static_cast<std::uint8_t*>(place);
    return Status::ok();
}

Status RingMapping::check_headers(std::uint32_t epoch) const {
    if (header()->magic != ring::kDataMagic || ack()->magic != ring::kAckMagic) {
        return refused("a segment does not begin as it should");
    }
    if (auto status = check_version(header()->version); !status.is_ok()) return status;
    if (auto status = check_version(ack()->version); !status.is_ok()) return status;
    if (header()->epoch != epoch || ack()->epoch != epoch) {
        return refused("a segment is of another attachment");
    }
    if (header()->capacity != capacity_) return refused("its capacity is not the announced one");
    return Status::ok();
}

RingMapping::RingMapping(RingMapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      ack_(std::exchange(other.ack_, nullptr)),
      capacity_(other.capacity_) {}

RingMapping& RingMapping::operator=(RingMapping&& other) noexcept {
    if (this != &other) {
        unmap();
        data_ = std::exchange(other.data_, nullptr);
        ack_ = std::exchange(other.ack_, nullptr);
        capacity_ = other.capacity_;
    }
    return *this;
}

RingMapping::~RingMapping() {
    unmap();
}

void RingMapping::unmap() {
    if (data_ != nullptr) ::munmap(data_, ring::kHeaderBytes + 2 * capacity_);
    if (ack_ != nullptr) ::munmap(ack_, ring::kAckBytes);
    data_ = ack_ = nullptr;
}

const ring::DataHeader* RingMapping::header() const {
    return reinterpret_cast<const ring::DataHeader*>(data_);
}

ring::AckHeader* RingMapping::ack() const {
    return reinterpret_cast<ring::AckHeader*>(ack_);
}

}  // namespace fanout::drain
