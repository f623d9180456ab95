// See terminal.hpp.
#include "fanoutctl/terminal.hpp"

#include <langinfo.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <clocale>
#include <cstdlib>
#include <cstring>

namespace fanout::ctl {
namespace {

constexpr const char* kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr const char* kLeave = "\x1b[0m\x1b[?25h\x1b[?1049l";

void put(const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const auto written = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
        if (written < 0 && errno != EINTR && errno != EAGAIN) return;
        if (written > 0) done += static_cast<std::size_t>(written);
    }
}

bool means_quit(char key) {
    return key == 'q' || key == 'Q' || key == '\x03' || key == '\x04' || key == '\x1c';
}

}  // namespace

Look look_of_output(bool color_wanted) {
    Look look;
    winsize size{};
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    if (terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        look.width = size.ws_col;
        look.height = size.ws_row;
    }
    const char* kind = std::getenv("TERM");
    look.color = color_wanted && terminal && std::getenv("NO_COLOR") == nullptr &&
                 (kind == nullptr || std::strcmp(kind, "dumb") != 0);
    std::setlocale(LC_CTYPE, "");
    look.unicode = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
    return look;
}

Status Terminal::enter() {
    if (::isatty(STDOUT_FILENO) != 1)
        return Status::fatal(
            "watch needs a terminal\nUse `fanoutctl status`, or `fanoutctl watch --once`.");
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH})
        sigaddset(&wanted, signal);
    sigprocmask(SIG_BLOCK, &wanted, &mask_before_);
    signals_ = ::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    has_keys_ = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (has_keys_) {
        termios raw = before_;
        // Ctrl-C and Ctrl-Z come as keys: a stopped program would leave its screen behind.
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    entered_ = true;
    put(kEnter);
    return Status::ok();
}

void Terminal::leave() {
    if (!entered_) return;
    entered_ = false;
    put(kLeave);
    if (has_keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    if (signals_ >= 0) ::close(signals_);
    sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

Event Terminal::wait(int descriptor, short events, int timeout_milliseconds) {
    std::array<pollfd, 3> places{{{descriptor, events, 0},
                                  {signals_, POLLIN, 0},
                                  {has_keys_ ? STDIN_FILENO : -1, POLLIN, 0}}};
    for (;;) {
        const int found = ::poll(places.data(), places.size(), timeout_milliseconds);
        if (found < 0 && errno == EINTR) continue;
        if (found <= 0) return Event::timeout;
        if (places[1].revents != 0) {
            signalfd_siginfo info{};
            const auto got = ::read(signals_, &info, sizeof info);
            const bool window = got == sizeof info && info.ssi_signo == SIGWINCH;
            return window ? Event::resized : Event::quit;
        }
        if (places[2].revents != 0) {
            char key = 0;
            if (::read(STDIN_FILENO, &key, 1) != 1 || means_quit(key)) return Event::quit;
            if (places[0].revents == 0) continue;
        }
        return Event::ready;
    }
}

void Terminal::draw(const std::vector<std::string>& lines) {
    std::string frame = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i)
        frame += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[K";
    put(frame + "\x1b[J");
}

}  // namespace fanout::ctl
