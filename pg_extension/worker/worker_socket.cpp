// Listening, peer check, hello, welcome, farewell.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/worker/worker_socket.hpp"
//
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pg_extension/settings.hpp"

namespace fanout::worker {

namespace {

constexpr const char* kFilePrefix = ".pg_fanout.";
constexpr long kHelloTimeoutMs = 5000;
constexpr long kStrangerTimeoutMs = 200;
constexpr int kBacklog = 8;

char file_to_remove[kSocketPathBytes];

void remove_file(int, Datum) {
    if (file_to_remove[0] != '\0') (void)unlink(file_to_remove);
    file_to_remove[0] = '\0';
}

const char* socket_directory() {
    if (settings::socket_directory != nullptr && settings::socket_directory[0] != '\0') {
        return settings::socket_directory;
    }
    List* directories = NIL;
    const char* configured = GetConfigOption("unix_socket_directories", true, false);
    if (configured == nullptr || !SplitDirectoriesString(pstrdup(configured), ',', &directories) ||
        directories == NIL) {
        ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
                        errmsg("there is no directory for the socket of a decoding worker"),
                        errhint("Set fanout.socket_directory, or unix_socket_directories.")));
    }
    return static_cast<const char*>(linitial(directories));
}

/// Removes what workers that are gone without a clean end have left behind.
void sweep(const char* directory) {
    DIR* open = opendir(directory);
    if (open == nullptr) return;
    while (const dirent* entry = readdir(open)) {
        if (strncmp(entry->d_name, kFilePrefix, strlen(kFilePrefix)) != 0) continue;
        const auto pid =
            static_cast<pid_t>(strtol(entry->d_name + strlen(kFilePrefix), nullptr, 10));
        if (pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH) continue;
        char path[MAXPGPATH];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        struct stat status;
        if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode)) (void)unlink(path);
    }
    closedir(open);
}

void random_hex(char* out, Size bytes) {
    uint8 random[64];
    if (bytes > sizeof random || !pg_strong_random(random, bytes)) {
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not get random bytes")));
    }
    for (Size i = 0; i < bytes; ++i)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
}

void give_to_group(const char* path) {
    if (settings::socket_group == nullptr || settings::socket_group[0] == '\0') return;
    const struct group* group = getgrnam(settings::socket_group);
    if (group == nullptr) {
        ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
                        errmsg("group \"%s\" of fanout.socket_group does not exist",
                               settings::socket_group)));
    }
    if (chown(path, static_cast<uid_t>(-1), group->gr_gid) != 0) {
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not give socket \"%s\" to group \"%s\": %m", path,
                               settings::socket_group),
                        errhint("The server's user must be a member of the group.")));
    }
}

bool user_is_allowed(uid_t user) {
    List* names = NIL;
    if (settings::allowed_users != nullptr &&
        !SplitIdentifierString(pstrdup(settings::allowed_users), ',', &names)) {
        ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
                        errmsg("fanout.allowed_users is not a list of names separated by commas")));
    }
    if (names == NIL) return user == 0 || user == geteuid();
    ListCell* cell = nullptr;
    foreach (cell, names) {
        const struct passwd* entry = getpwnam(static_cast<const char*>(lfirst(cell)));
        if (entry != nullptr && entry->pw_uid == user) return true;
    }
    return false;
}

void refuse(int connection, ring::HandshakeStatus status, const char* text) {
    ring::Welcome welcome{};
    welcome.magic = ring::kWelcomeMagic;
    welcome.status = static_cast<uint32>(status);
    welcome.version = ring::kProtocolVersion;
    strlcpy(welcome.text, text, sizeof welcome.text);
    (void)send(connection, &welcome, sizeof welcome, MSG_DONTWAIT | MSG_NOSIGNAL);
    ereport(LOG, (errmsg("pg_fanout worker refused a connection: %s", text)));
}

/// Compares without telling by its duration how much was right.
bool token_is_right(const char* expected, const char* shown) {
    unsigned difference = 0;
    for (Size i = 0; i < ring::kTokenBytes; ++i) {
        difference |= static_cast<unsigned>(expected[i] ^ shown[i]);
    }
    return difference == 0;
}

/// Serves interrupts while waiting for something to read.
bool wait_readable(int socket, TimestampTz until) {
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        const long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
        if (left <= 0) return false;
        const int events = WaitLatchOrSocket(
            MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, socket,
            left, PG_WAIT_EXTENSION);
        if ((events & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
        if ((events & WL_SOCKET_READABLE) != 0) return true;
    }
}

/// False if the peer said nothing in time or something else.
bool read_hello(int connection, ring::Hello* hello, TimestampTz until) {
    if (!wait_readable(connection, until)) return false;
    const ssize_t got = recv(connection, hello, sizeof *hello, MSG_DONTWAIT | MSG_TRUNC);
    if (got == static_cast<ssize_t>(sizeof *hello) && hello->magic == ring::kHelloMagic)
        return true;
    if (got > 0) {
        refuse(connection, ring::HandshakeStatus::bad_packet, "the packet is not a hello");
    }
    return false;
}

bool user_is_let_in(int connection) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        user_is_allowed(peer.uid)) {
        return true;
    }
    // Its hello is taken first: an answer before it would meet a peer that is still sending.
    ring::Hello ignored{};
    (void)read_hello(connection, &ignored,
                     TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kStrangerTimeoutMs));
    refuse(connection, ring::HandshakeStatus::peer_not_allowed,
           psprintf("operating system user %u may not attach; add its name to "
                    "fanout.allowed_users and reload",
                    static_cast<unsigned>(peer.uid)));
    return false;
}

bool greets_rightly(int connection, const char* token, TimestampTz until) {
    using ring::HandshakeStatus;
    if (!user_is_let_in(connection)) return false;
    const TimestampTz limit = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kHelloTimeoutMs);
    ring::Hello hello{};
    if (!read_hello(connection, &hello, Min(limit, until))) return false;
    if (!token_is_right(token, hello.token)) {
        refuse(connection, HandshakeStatus::bad_token, "the token is not the one of this worker");
        return false;
    }
    if (hello.version_min > ring::kProtocolVersion || hello.version_max < ring::kProtocolVersion) {
        refuse(connection, HandshakeStatus::bad_version,
               psprintf("fanoutd speaks protocol versions %u to %u, the extension %u; install the "
                        "same release of both",
                        hello.version_min, hello.version_max, ring::kProtocolVersion));
        return false;
    }
    return true;
}

}  // namespace

void listen_for_daemon(WorkerSocket* worker_socket) {
    const char* directory = socket_directory();
    sweep(directory);
    char random[17];
    random_hex(random, 8);
    random_hex(worker_socket->token, ring::kTokenBytes / 2);
    const int length = snprintf(worker_socket->path, sizeof worker_socket->path, "%s/%s%d.%s",
                                directory, kFilePrefix, MyProcPid, random);
    if (length < 0 || static_cast<Size>(length) >= sizeof worker_socket->path) {
        ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
                        errmsg("the path of the socket in \"%s\" would be too long", directory),
                        errhint("Set fanout.socket_directory to a shorter path.")));
    }
    worker_socket->listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (worker_socket->listening < 0) {
        ereport(ERROR, (errcode_for_socket_access(), errmsg("could not create a socket: %m")));
    }
    ReserveExternalFD();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strlcpy(address.sun_path, worker_socket->path, sizeof address.sun_path);
    const mode_t mask = umask(0117);
    const int bound =
        bind(worker_socket->listening, reinterpret_cast<sockaddr*>(&address), sizeof address);
    const int bind_error = errno;
    umask(mask);
    errno = bind_error;
    if (bound != 0) {
        ereport(ERROR, (errcode_for_socket_access(),
                        errmsg("could not bind socket \"%s\": %m", worker_socket->path),
                        errhint("The server's user needs to write to that directory; see "
                                "fanout.socket_directory.")));
    }
    strlcpy(file_to_remove, worker_socket->path, sizeof file_to_remove);
    on_shmem_exit(remove_file, 0);
    give_to_group(worker_socket->path);
    if (listen(worker_socket->listening, kBacklog) != 0) {
        ereport(ERROR, (errcode_for_socket_access(), errmsg("could not listen: %m")));
    }
}

int accept_daemon(WorkerSocket* worker_socket) {
    const TimestampTz until = TimestampTzPlusMilliseconds(
        GetCurrentTimestamp(), static_cast<int64>(settings::attach_timeout_seconds) * 1000);
    for (;;) {
        if (!wait_readable(worker_socket->listening, until)) {
            ereport(ERROR,
                    (errcode(ERRCODE_CONNECTION_FAILURE),
                     errmsg("no fanoutd connected within %d s", settings::attach_timeout_seconds),
                     errhint("See fanout.attach_timeout.")));
        }
        const int connection =
            accept4(worker_socket->listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection < 0) continue;
        if (!greets_rightly(connection, worker_socket->token, until)) {
            close(connection);
            continue;
        }
        ReserveExternalFD();
        close(worker_socket->listening);
        ReleaseExternalFD();
        worker_socket->listening = -1;
        remove_file(0, Datum{0});
        return connection;
    }
}

void send_welcome(int connection, const WelcomeFacts& facts, const int (&descriptors)[4]) {
    ring::Welcome welcome{};
    welcome.magic = ring::kWelcomeMagic;
    welcome.status = static_cast<uint32>(ring::HandshakeStatus::ok);
    welcome.version = ring::kProtocolVersion;
    welcome.epoch = facts.epoch;
    welcome.capacity = facts.capacity;
    welcome.start_lsn = facts.start_lsn;
    iovec payload{&welcome, sizeof welcome};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptors)] = {};
    msghdr message{};
    message.msg_iov = &payload;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof descriptors);
    memcpy(CMSG_DATA(rights), descriptors, sizeof descriptors);
    if (sendmsg(connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL) !=
        static_cast<ssize_t>(sizeof welcome)) {
        ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE),
                        errmsg("could not send the welcome to fanoutd: %m")));
    }
}

void send_farewell(int connection, int sqlstate, const char* text) {
    ring::Farewell farewell{};
    farewell.magic = ring::kFarewellMagic;
    strlcpy(farewell.sqlstate, unpack_sql_state(sqlstate), sizeof farewell.sqlstate);
    strlcpy(farewell.text, text, sizeof farewell.text);
    (void)send(connection, &farewell, sizeof farewell, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace fanout::worker
