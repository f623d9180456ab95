// SIGTERM, SIGINT and SIGHUP as readable events. Blocks them for every thread started later, so
// that only the main thread sees them. Owns the descriptor.
#pragma once

#include <optional>

namespace fanout::app {

enum class Signal { stop, reload };

class Signals {
  public:
    /// Before any other thread is started. Also ignores SIGPIPE and SIGXFSZ.
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    bool valid() const { return fd_ >= 0; }
    int fd() const { return fd_; }
    /// The next signal, nothing if there is none.
    std::optional<Signal> take();

  private:
    int fd_;
};

}  // namespace fanout::app
