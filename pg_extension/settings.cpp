// The settings of the extension. They are read by the decoding worker, which is a process of its
// own, so all of them live in the configuration file (PGC_SIGHUP): a session cannot change them.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/settings.hpp"

#include "pg_extension/worker/fault_point.hpp"

namespace fanout::settings {

char* socket_directory = nullptr;
char* socket_group = nullptr;
char* allowed_users = nullptr;
int attach_timeout_seconds = 5;
int decoding_work_mem_kilobytes = 160 * 1024;

namespace {

struct TextSetting {
    const char* name;
    const char* summary;
    const char* detail;
    char** value;
};

constexpr TextSetting kTextSettings[] = {
    {"fanout.socket_directory", "Directory of the sockets on which decoding workers wait.",
     "Empty: the first directory of unix_socket_directories. fanoutd must be able to reach it.",
     &socket_directory},
    {"fanout.socket_group", "Operating system group that owns those sockets (mode 0660).",
     "Empty: the group of the server. Name a group that fanoutd's user belongs to.", &socket_group},
    {"fanout.allowed_users", "Operating system users that may attach, separated by commas.",
     "Empty: the server's own user and root.", &allowed_users},
};

}  // namespace

void define() {
    for (const TextSetting& setting : kTextSettings) {
        DefineCustomStringVariable(setting.name, setting.summary, setting.detail, setting.value, "",
                                   PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    }
    DefineCustomIntVariable("fanout.attach_timeout",
                            "How long a decoding worker waits for fanoutd to connect.", nullptr,
                            &attach_timeout_seconds, 5, 1, 3600, PGC_SIGHUP, GUC_UNIT_S, nullptr,
                            nullptr, nullptr);
    DefineCustomIntVariable("fanout.decoding_work_mem",
                            "Memory of a decoding worker for transactions that are not complete.",
                            "Larger transactions are spilled to disk (pg_replslot).",
                            &decoding_work_mem_kilobytes, 160 * 1024, 64, MAX_KILOBYTES, PGC_SIGHUP,
                            GUC_UNIT_KB, nullptr, nullptr, nullptr);
    fault::define_setting();
}

}  // namespace fanout::settings
