// The real file system behind Files, and the sentences for its errors.
#include "sidecar/journal/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fanout::journal {

void FileDescriptor::reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

Status file_error(const char* what, const std::string& path, int error) {
    char buffer[128];
    // GNU strerror_r: returns the text, which need not be in the buffer; safe with threads.
    std::string text =
        std::string(what) + " " + path + ": " + ::strerror_r(error, buffer, sizeof buffer);
    if (error == ENOSPC || error == EDQUOT) {
        text += "; make room on this file system, nothing is lost meanwhile";
    } else if (error == EACCES || error == EPERM || error == EROFS) {
        text += "; the state directory must be writable for the user who runs fanoutd";
    }
    return Status::io(std::move(text));
}

namespace {

Result<FileDescriptor> open_file(const std::string& path, int flags, const char* what) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0) return file_error(what, path, errno);
    return FileDescriptor(fd);
}

}  // namespace

Result<FileDescriptor> Files::create(const std::string& path) {
    return open_file(path, O_RDWR | O_CREAT | O_EXCL, "cannot create");
}

Result<FileDescriptor> Files::open(const std::string& path) {
    return open_file(path, O_RDWR, "cannot open");
}

Status Files::allocate(int fd, const std::string& path, std::uint64_t size) {
    int result;
    do {
        result = ::fallocate(fd, 0, 0, static_cast<off_t>(size));
    } while (result != 0 && errno == EINTR);
    if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return Status::ok();
    return file_error("cannot reserve room for", path, errno);
}

Status Files::write(int fd, const std::string& path, std::span<const std::uint8_t> bytes,
                    std::uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t written =
            ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0) {
            if (errno == EINTR) continue;
            return file_error("cannot write to", path, errno);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
    return Status::ok();
}

Status Files::truncate(int fd, const std::string& path, std::uint64_t size) {
    if (::ftruncate(fd, static_cast<off_t>(size)) == 0) return Status::ok();
    return file_error("cannot cut", path, errno);
}

Status Files::sync(int fd, const std::string& path) {
    // Once only: after a failure the kernel may have dropped the pages and marked them clean, so
    // that a second call would succeed without the data being on disk.
    if (::fdatasync(fd) == 0) return Status::ok();
    return file_error("cannot sync", path, errno);
}

Status Files::sync_directory(const std::string& path) {
    const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) return file_error("cannot open", path, errno);
    if (::fsync(directory.get()) == 0) return Status::ok();
    return file_error("cannot sync", path, errno);
}

Status Files::remove(const std::string& path) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return Status::ok();
    return file_error("cannot remove", path, errno);
}

int open_unnamed(const std::string& directory, const char* name) {
    const int file = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return file;
    std::string path = directory + "/" + name + ".XXXXXX";
    const int named = ::mkostemp(path.data(), O_CLOEXEC);
    if (named >= 0) ::unlink(path.c_str());
    return named;
}

std::shared_ptr<Files> posix_files() {
    return std::make_shared<Files>();
}

}  // namespace fanout::journal
