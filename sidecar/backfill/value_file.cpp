// See value_file.hpp.
#include "sidecar/backfill/value_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "sidecar/journal/files.hpp"

namespace fanout::backfill {
namespace {

std::uint64_t next_page(std::uint64_t offset) {
    static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return (offset + page - 1) / page * page;
}

Status no_room(const char* what, const std::string& directory) {
    return Status::retry(std::string("cannot ") + what + " a file for a large value in " +
                         directory + ": " + std::strerror(errno) + "; make room there");
}

}  // namespace

Result<std::unique_ptr<ValueFile>> ValueFile::make(const std::string& directory) {
    const int file = journal::open_unnamed(directory, "large-value");
    if (file < 0) return no_room("create", directory);
    return std::unique_ptr<ValueFile>(new ValueFile(directory, file));
}

ValueFile::~ValueFile() {
    for (const Mapping& mapping : mappings_)
        ::munmap(mapping.at, mapping.size);
    ::close(file_);
}

Status ValueFile::failed(const char* what) const {
    return no_room(what, directory_);
}

void ValueFile::begin() {
    end_ = begun_;
}

Status ValueFile::append(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(end_));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failed("write");
        end_ += static_cast<std::uint64_t>(written);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return Status::ok();
}

Result<fanout_value> ValueFile::end() {
    static constexpr std::uint8_t kNoBytes = 0;
    const std::uint64_t size = end_ - begun_;
    if (size > std::numeric_limits<std::uint32_t>::max())
        return Status::retry("a value has more than 4 GiB");
    if (size == 0) return fanout_value{&kNoBytes, 0, FANOUT_PRESENT};
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file_, static_cast<off_t>(begun_));
    if (at == MAP_FAILED) return failed("map");
    ::madvise(at, size, MADV_SEQUENTIAL);
    mappings_.push_back({at, size});
    value_bytes_ += size;
    begun_ = end_ = next_page(end_);
    return fanout_value{static_cast<const std::uint8_t*>(at), static_cast<std::uint32_t>(size),
                        FANOUT_PRESENT};
}

}  // namespace fanout::backfill
