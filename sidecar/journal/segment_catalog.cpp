// The list of segments and their shared mappings.
#include "sidecar/journal/segment_catalog.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace fanout::journal {

SegmentMapping::~SegmentMapping() {
    ::munmap(const_cast<std::uint8_t*>(data_), length_);
}

void SegmentMapping::let_go(std::uint64_t from, std::uint64_t to) const {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    from = (from + page - 1) / page * page;
    to = to / page * page;
    if (from >= to) return;
    (void)::madvise(const_cast<std::uint8_t*>(data_) + from, to - from, MADV_DONTNEED);
}

Result<std::shared_ptr<SegmentMapping>> Segment::map() {
    const std::lock_guard lock(map_mutex_);
    if (auto shared = mapping_.lock()) return shared;
    const FileDescriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return file_error("cannot open", path_, errno);
    // An open segment is mapped as far as it may ever grow; nobody touches a byte behind what is
    // published, so pages beyond the end of the file are never reached.
    const std::uint64_t sealed_end = end();
    const std::size_t length = sealed_end == kOpen ? map_bytes_ : file_offset(sealed_end);
    void* address = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, file.get(), 0);
    if (address == MAP_FAILED) return file_error("cannot map", path_, errno);
    auto mapping =
        std::make_shared<SegmentMapping>(static_cast<const std::uint8_t*>(address), length);
    mapping_ = mapping;
    return mapping;
}

void SegmentCatalog::add(Pointer segment) {
    const std::lock_guard lock(mutex_);
    segments_.push_back(std::move(segment));
}

bool SegmentCatalog::empty() const {
    const std::lock_guard lock(mutex_);
    return segments_.empty();
}

SegmentCatalog::Pointer SegmentCatalog::last() const {
    const std::lock_guard lock(mutex_);
    return segments_.empty() ? nullptr : segments_.back();
}

SegmentCatalog::Pointer SegmentCatalog::find(Lsn from) const {
    const std::lock_guard lock(mutex_);
    for (auto it = segments_.rbegin(); it != segments_.rend(); ++it) {
        if ((*it)->first_lsn() <= from) return *it;
    }
    return nullptr;
}

SegmentCatalog::Pointer SegmentCatalog::with_number(std::uint64_t number) const {
    const std::lock_guard lock(mutex_);
    for (const auto& segment : segments_) {
        if (segment->number() == number) return segment;
    }
    return nullptr;
}

std::vector<SegmentCatalog::Pointer> SegmentCatalog::from_position(std::uint64_t position) const {
    const std::lock_guard lock(mutex_);
    std::vector<Pointer> found;
    for (const auto& segment : segments_) {
        if (segment->end() >= position) found.push_back(segment);
    }
    return found;
}

Lsn SegmentCatalog::first_lsn() const {
    const std::lock_guard lock(mutex_);
    return segments_.empty() ? 0 : segments_.front()->first_lsn();
}

std::vector<SegmentFacts> SegmentCatalog::sealed(std::uint64_t synced_to) const {
    const std::lock_guard lock(mutex_);
    std::vector<SegmentFacts> facts;
    for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
        const Segment& segment = *segments_[i];
        if (segment.end() > synced_to) break;
        facts.push_back({segment.number(), segment.file_offset(segment.end()),
                         segments_[i + 1]->first_lsn(),
                         std::chrono::system_clock::time_point(
                             std::chrono::microseconds(segment.header().created_at))});
    }
    return facts;
}

std::vector<SegmentCatalog::Pointer> SegmentCatalog::remove_oldest(std::size_t count) {
    const std::lock_guard lock(mutex_);
    count = std::min(count, segments_.empty() ? 0 : segments_.size() - 1);
    const auto last = segments_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Pointer> removed(segments_.begin(), last);
    segments_.erase(segments_.begin(), last);
    return removed;
}

std::uint64_t SegmentCatalog::bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& segment : segments_) {
        const std::uint64_t end = segment->end();
        sum += segment->file_offset(end == Segment::kOpen ? appended.load() : end);
    }
    return sum;
}

}  // namespace fanout::journal
