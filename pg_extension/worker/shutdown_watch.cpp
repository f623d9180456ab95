// postmaster.pid in the working directory, which is the data directory.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/worker/shutdown_watch.hpp"
//
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace fanout::worker {

namespace {

constexpr const char* kLockFile = "postmaster.pid";

/// Line `number`, from 1 on, of the text; nullptr if it has fewer.
const char* line_of(const char* text, int number) {
    for (int line = 1; line < number; ++line) {
        text = strchr(text, '\n');
        if (text == nullptr) return nullptr;
        ++text;
    }
    return text;
}

}  // namespace

int open_shutdown_watch() {
    const int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0) return -1;
    if (inotify_add_watch(watch, kLockFile, IN_MODIFY) < 0) {
        close(watch);
        return -1;
    }
    ReserveExternalFD();
    return watch;
}

bool shutdown_has_begun(int watch) {
    alignas(inotify_event) char events[1024];
    while (read(watch, events, sizeof events) > 0) {
    }
    const int file = open(kLockFile, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    char text[1024];
    const ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return false;
    text[size] = '\0';
    const char* status = line_of(text, LOCK_FILE_LINE_PM_STATUS);
    return status != nullptr && strncmp(status, "stopping", strlen("stopping")) == 0;
}

}  // namespace fanout::worker
