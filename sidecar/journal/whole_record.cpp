// See whole_record.hpp.
#include "sidecar/journal/whole_record.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "sidecar/journal/files.hpp"

namespace fanout::journal {
namespace {

/// Below this a file is not worth its system calls.
constexpr std::uint64_t kInMemoryMax = 4ULL << 20;

Status failed(const char* what, const std::string& directory) {
    return Status::io(std::string("cannot ") + what + " a file for a large record in " + directory +
                      ": " + std::strerror(errno) + "; make room there");
}

}  // namespace

Result<std::unique_ptr<WholeRecord>> WholeRecord::make(std::uint64_t size,
                                                       const std::string& directory) {
    std::unique_ptr<WholeRecord> whole(new WholeRecord(size));
    if (size <= kInMemoryMax) {
        whole->memory_.reset(new (std::nothrow) std::uint8_t[size]);
        if (!whole->memory_) return Status::io("there is no memory for a record in pieces");
        return whole;
    }
    whole->file_ = open_unnamed(directory, "large-record");
    if (whole->file_ < 0) return failed("create", directory);
    return whole;
}

WholeRecord::~WholeRecord() {
    if (mapped_ != nullptr) ::munmap(mapped_, size_);
    if (file_ >= 0) ::close(file_);
}

Status WholeRecord::append(wire::Bytes piece) {
    if (memory_) {
        std::memcpy(memory_.get() + filled_, piece.data(), piece.size());
        filled_ += piece.size();
        return Status::ok();
    }
    for (std::size_t done = 0; done < piece.size();) {
        const auto written =
            ::pwrite(file_, piece.data() + done, piece.size() - done, static_cast<off_t>(filled_));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failed("write", "the journal's directory");
        done += static_cast<std::size_t>(written);
        filled_ += static_cast<std::uint64_t>(written);
    }
    return Status::ok();
}

Result<wire::Bytes> WholeRecord::bytes() {
    if (memory_) return wire::Bytes(memory_.get(), size_);
    if (mapped_ == nullptr) {
        void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_, 0);
        if (mapped == MAP_FAILED) return failed("map", "the journal's directory");
        ::madvise(mapped, size_, MADV_SEQUENTIAL);
        mapped_ = mapped;
    }
    return wire::Bytes(static_cast<const std::uint8_t*>(mapped_), size_);
}

}  // namespace fanout::journal
