// Parses the setting at each change, counts the hits of one name, acts.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/worker/fault_point.hpp"

#ifdef FANOUT_FAULT_POINTS

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace fanout::fault {

bool armed = false;

namespace {

char* setting = nullptr;
char wanted[64];
char action[16];
unsigned long wanted_hit = 0;
unsigned long hits = 0;

void assign(const char* text, void*) {
    armed = sscanf(text, "%63[^:]:%lu:%15[a-z]", wanted, &wanted_hit, action) == 3;
    hits = 0;
}

/// The server's working directory is its data directory.
bool first_time(const char* name) {
    char path[MAXPGPATH];
    snprintf(path, sizeof path, "pg_fanout.%s.hit", name);
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) close(file);
    return file >= 0;
}

void hold(const char* name) {
    char path[MAXPGPATH];
    snprintf(path, sizeof path, "pg_fanout.%s.release", name);
    while (access(path, F_OK) != 0) {
        CHECK_FOR_INTERRUPTS();
        pg_usleep(2000);
    }
}

}  // namespace

void define_setting() {
    DefineCustomStringVariable("fanout.fault_point", "Makes the decoding worker fail, for tests.",
                               "name:n-th hit:crash|error|sleep|hold", &setting, "", PGC_SIGHUP, 0,
                               nullptr, assign, nullptr);
}

void hit(const char* name) {
    if (strcmp(name, wanted) != 0 || ++hits != wanted_hit || !first_time(name)) return;
    ereport(LOG, (errmsg("fault point %s: %s", name, action)));
    if (strcmp(action, "crash") == 0) kill(getpid(), SIGKILL);
    if (strcmp(action, "error") == 0) ereport(ERROR, (errmsg("fault point %s", name)));
    if (strcmp(action, "sleep") == 0) pg_usleep(1000000);
    if (strcmp(action, "hold") == 0) hold(name);
}

}  // namespace fanout::fault

#endif
