// The connection to fanoutd while records flow, and the only place where the worker sleeps.
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
};

/// Creates the eventfds and the wait set over a connected socket.
void open_link(ConsumerLink* link, int socket);

/// Sleeps until something happens or `timeout_ms` (-1: no limit) has passed. Serves interrupts.
/// Ends the process if fanoutd is gone.
void wait_on_link(ConsumerLink* link, long timeout_ms);

/// Serves interrupts and looks whether fanoutd is still there, without sleeping.
void check_link(ConsumerLink* link);

/// Wakes the consumer.
void ring_data_bell(const ConsumerLink* link);

}  // namespace fanout::worker
