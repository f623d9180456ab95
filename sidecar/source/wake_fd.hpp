// An eventfd: any thread rings, one thread polls. Owns the descriptor.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace fanout::source {

class WakeFd {
  public:
    WakeFd() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~WakeFd() {
        if (fd_ >= 0) ::close(fd_);
    }
    WakeFd(const WakeFd&) = delete;
    WakeFd& operator=(const WakeFd&) = delete;

    /// Any thread, async-signal-safe. A full counter is rung already.
    void ring() const {
        const std::uint64_t one = 1;
        static_cast<void>(::write(fd_, &one, sizeof one) == sizeof one);
    }
    void clear() const {
        std::uint64_t count = 0;
        static_cast<void>(::read(fd_, &count, sizeof count) == sizeof count);
    }
    bool valid() const { return fd_ >= 0; }
    int fd() const { return fd_; }

  private:
    int fd_;
};

}  // namespace fanout::source
