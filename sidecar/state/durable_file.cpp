// See durable_file.hpp.
#include "sidecar/state/durable_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "fanout/base/fault_point.hpp"

namespace fanout::state {
namespace {

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

Status failed(const char* what, const std::string& path) {
    return Status::io(std::string("cannot ") + what + " " + path + ": " + std::strerror(errno) +
                      "; make room or mend the state directory");
}

bool write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(file, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

Status write_synced(const std::string& path, std::span<const std::string_view> parts) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return failed("create", path);
    for (const auto part : parts)
        if (!write_all(file.get(), part)) return failed("write", path);
    if (::fsync(file.get()) != 0) return failed("sync", path);
    return Status::ok();
}

}  // namespace

Status replace_file(const std::string& path, const std::string& text) {
    const std::string_view part = text;
    return replace_file(path, std::span(&part, 1));
}

Status replace_file(const std::string& path, std::span<const std::string_view> parts) {
    const std::string fresh = path + ".new";
    if (auto written = write_synced(fresh, parts); !written.is_ok()) return written;
    FANOUT_FAULT_HERE("state.file_unrenamed");
    if (::rename(fresh.c_str(), path.c_str()) != 0) return failed("replace", path);
    const std::string parent = std::filesystem::path(path).parent_path().string();
    const Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0 || ::fsync(directory.get()) != 0) return failed("sync", parent);
    return Status::ok();
}

}  // namespace fanout::state
