// The terminal while `watch` has it: an alternative screen, keys without Enter, signals as events.
// Whatever ends the program except SIGKILL gives the terminal back as it was.
#pragma once

#include <termios.h>

#include <csignal>
#include <string>
#include <vector>

#include "fanout/base/status.hpp"
#include "fanoutctl/table.hpp"

namespace fanout::ctl {

enum class Event { timeout, ready, resized, quit };

class Terminal {
  public:
    Terminal() = default;
    ~Terminal() { leave(); }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    Status enter();
    void leave();

    /// Until `descriptor` (-1: none) has the events, a key or signal says to quit, the window
    /// changes, or the time is over (-1: never).
    Event wait(int descriptor, short events, int timeout_milliseconds);
    void draw(const std::vector<std::string>& lines);

  private:
    bool entered_ = false, has_keys_ = false;
    int signals_ = -1;
    termios before_{};
    sigset_t mask_before_{};
};

/// Width and height of standard output; 80 columns and no height if it is no terminal.
Look look_of_output(bool color_wanted);

}  // namespace fanout::ctl
