// Every call the journal makes to the file system, behind one interface, so that a full disk and
// a failing fsync are values in a test.
//
// Thread-safe: the calls carry no state. Descriptors are owned by FileDescriptor; nothing here
// retries a failed sync, and a short write is finished or reported, never left silent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "fanout/base/status.hpp"

namespace fanout::journal {

/// Owns one descriptor; closes it.
class FileDescriptor {
  public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~FileDescriptor() { reset(); }

    int get() const { return fd_; }
    bool valid() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset();

  private:
    int fd_ = -1;
};

class Files {
  public:
    virtual ~Files() = default;

    /// Creates a file that must not exist yet, mode 0600.
    virtual Result<FileDescriptor> create(const std::string& path);
    virtual Result<FileDescriptor> open(const std::string& path);
    /// Reserves room; a file system that cannot is no error.
    virtual Status allocate(int fd, const std::string& path, std::uint64_t size);
    /// Writes all of `bytes` at `offset`, or says why not; after a failure what was written of it
    /// is undefined and has to be written again.
    virtual Status write(int fd, const std::string& path, std::span<const std::uint8_t> bytes,
                         std::uint64_t offset);
    virtual Status truncate(int fd, const std::string& path, std::uint64_t size);
    virtual Status sync(int fd, const std::string& path);
    virtual Status sync_directory(const std::string& path);
    virtual Status remove(const std::string& path);
};

/// The real file system.
std::shared_ptr<Files> posix_files();

/// A file of the directory that goes with its descriptor, whatever happens; -1 and errno if there
/// is none to be had. `name`: what it is called for an instant where the file system wants that.
int open_unnamed(const std::string& directory, const char* name);

/// "<what> <path>: <errno text>", with advice for a full disk.
Status file_error(const char* what, const std::string& path, int error);

}  // namespace fanout::journal
