// Waiting on everything at once.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/worker/consumer_link.hpp"
//
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pg_extension/worker/shutdown_watch.hpp"
#include "pg_extension/worker/worker_socket.hpp"

namespace fanout::worker {

namespace {

constexpr int kEventCount = 5;

int create_bell() {
    const int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell < 0) {
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not create an eventfd: %m")));
    }
    ReserveExternalFD();
    return bell;
}

/// fanoutd sends nothing after its hello, so anything to read is its end or a fault.
void expect_silence(int socket) {
    char byte = 0;
    // Takes the packet: a socket closed with something unread loses the farewell.
    const ssize_t got = recv(socket, &byte, sizeof byte, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (got > 0) {
        ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
                        errmsg("fanoutd sent a packet after the handshake")));
    }
    // The attachment's ordinary end; exit callbacks save the slot.
    ereport(LOG, (errmsg("fanoutd has left, the decoding worker ends")));
    proc_exit(0);
}

}  // namespace

void open_link(ConsumerLink* link, int socket) {
    link->socket = socket;
    link->data_ready = create_bell();
    link->space_ready = create_bell();
    link->shutdown_watch = open_shutdown_watch();
    link->events = server::create_wait_set(kEventCount);
    AddWaitEventToSet(link->events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    AddWaitEventToSet(link->events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    AddWaitEventToSet(link->events, WL_SOCKET_READABLE, socket, nullptr, nullptr);
    AddWaitEventToSet(link->events, WL_SOCKET_READABLE, link->space_ready, nullptr, nullptr);
    if (link->shutdown_watch >= 0) {
        AddWaitEventToSet(link->events, WL_SOCKET_READABLE, link->shutdown_watch, nullptr, nullptr);
    }
}

void wait_on_link(ConsumerLink* link, long timeout_ms) {
    CHECK_FOR_INTERRUPTS();
    ring_if_owed(link);
    WaitEvent happened[kEventCount];
    const int count =
        WaitEventSetWait(link->events, timeout_ms, happened, kEventCount, PG_WAIT_EXTENSION);
    for (int i = 0; i < count; ++i) {
        if ((happened[i].events & WL_LATCH_SET) != 0) {
            ResetLatch(MyLatch);
        } else if (happened[i].fd == link->space_ready) {
            uint64 rings = 0;
            (void)!read(link->space_ready, &rings, sizeof rings);
        } else if (happened[i].fd == link->socket) {
            expect_silence(link->socket);
        } else if (happened[i].fd == link->shutdown_watch &&
                   shutdown_has_begun(link->shutdown_watch)) {
            // The worker goes on: clients that are still there may commit.
            send_farewell(link->socket, ERRCODE_CANNOT_CONNECT_NOW,
                          "the server shuts down and waits for its clients");
        }
    }
    CHECK_FOR_INTERRUPTS();
}

void nap(ConsumerLink* link, long us) {
    ring_if_owed(link);
    CHECK_FOR_INTERRUPTS();
    pg_usleep(us);
    // With the latch set the wait would not look at anything else. What set it is looked at behind.
    ResetLatch(MyLatch);
    wait_on_link(link, 0);
}

void check_link(ConsumerLink* link) {
    CHECK_FOR_INTERRUPTS();
    expect_silence(link->socket);
}

void ring_if_owed(ConsumerLink* link) {
    if (!link->bell_owed) return;
    link->bell_owed = false;
    const uint64 one = 1;
    (void)!write(link->data_ready, &one, sizeof one);
}

}  // namespace fanout::worker
