#include "stdout/line_writer.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <string>

#include "fanout/connector/connector.hpp"

namespace fanout::stdout_target {
namespace {

using connector::ConnectorError;

constexpr auto kLookForStop = std::chrono::milliseconds(100);
constexpr const char* kHint =
    "start fanoutd with its standard output connected to a reader or a file";

std::timed_mutex writing;
bool line_is_torn = false;  // guarded by `writing`

[[noreturn]] void throw_stopped() {
    throw ConnectorError(FANOUT_RETRY, "stopped while waiting for the reader of standard output");
}

[[noreturn]] void throw_failed(int error) {
    const bool passing = error == ENOSPC || error == EIO || error == EDQUOT;
    throw ConnectorError(passing ? FANOUT_RETRY : FANOUT_FATAL,
                         std::string("cannot write to standard output: ") + std::strerror(error),
                         kHint);
}

/// A pipe that polls writable takes PIPE_BUF bytes without blocking, whatever its mode.
std::size_t write_some(int descriptor, std::string_view bytes, const std::function<bool()>& stop) {
    for (;;) {
        pollfd waiting{.fd = descriptor, .events = POLLOUT, .revents = 0};
        const int ready = ::poll(&waiting, 1, static_cast<int>(kLookForStop.count()));
        if (ready < 0 && errno != EINTR) throw_failed(errno);
        if (ready > 0) {
            const std::size_t part = std::min<std::size_t>(bytes.size(), PIPE_BUF);
            const ssize_t written = ::write(descriptor, bytes.data(), part);
            if (written >= 0) return static_cast<std::size_t>(written);
            if (errno != EINTR && errno != EAGAIN) throw_failed(errno);
        }
        if (stop()) throw_stopped();
    }
}

}  // namespace

void write_lines(int descriptor, std::string_view lines, const std::function<bool()>& stop) {
    if (lines.empty()) return;
    std::unique_lock<std::timed_mutex> lock(writing, std::defer_lock);
    while (!lock.try_lock_for(kLookForStop))
        if (stop()) throw_stopped();

    if (line_is_torn) {
        write_some(descriptor, "\n", stop);
        line_is_torn = false;
    }
    while (!lines.empty()) {
        const std::size_t written = write_some(descriptor, lines, stop);
        if (written > 0) line_is_torn = lines[written - 1] != '\n';
        lines.remove_prefix(written);
    }
}

void check_writable(int descriptor) {
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0) throw_failed(errno);
    if ((flags & O_ACCMODE) == O_RDONLY) throw_failed(EBADF);
}

}  // namespace fanout::stdout_target
