// The connection to fanoutd while records flow, and the only place where the worker sleeps.
//
// INVARIANT: the worker never sleeps, and never waits for a disk, while it owes the consumer its
// bell. A ring may be put off behind work (see RingProducer), never behind a sleep: wait_on_link()
// and nap() pay what is owed themselves, so no caller can forget it.
//
// One wait set for every reason to wake: the latch (WAL, signals), postmaster death, the socket
// (its end is the attachment's end), the eventfd by which the consumer says that there is room, and
// the beginning of a shutdown.
// Owns the descriptors; the process's end closes them.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::worker {

struct ConsumerLink {
    int socket = -1;
    int data_ready = -1;   // eventfd: the worker writes
    int space_ready = -1;  // eventfd: the consumer writes
    int shutdown_watch = -1;
    WaitEventSet* events = nullptr;
    bool bell_owed = false;  // something was published while the consumer slept
};

/// Creates the eventfds and the wait set over a connected socket.
void open_link(ConsumerLink* link, int socket);

/// Sleeps until something happens or `timeout_ms` (-1: no limit) has passed. Serves interrupts.
/// Ends the process if fanoutd is gone.
void wait_on_link(ConsumerLink* link, long timeout_ms);

/// Sleeps `us` microseconds whatever happens but a signal, then does what wait_on_link() would do
/// at once. Nobody who sets the latch meanwhile has to send a signal for it.
void nap(ConsumerLink* link, long us);

/// Serves interrupts and looks whether fanoutd is still there, without sleeping.
void check_link(ConsumerLink* link);

/// Wakes the consumer if that is owed. Before anything that may take long.
void ring_if_owed(ConsumerLink* link);

}  // namespace fanout::worker
