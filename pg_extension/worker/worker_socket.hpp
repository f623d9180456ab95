// The socket on which a worker waits for its one fanoutd, and the handshake.
//
// The path has the pid and a random part, so two starts of one slot never share it. A peer is let
// in if its user (SO_PEERCRED) is on the list and it shows the token that only the caller of
// fanout.launch_worker() got. Whoever fails is refused by name and the worker goes on waiting, so a
// stranger cannot end it.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/worker/decoding_worker.hpp"
#include "pg_extension/worker/ring_segment.hpp"
//
#include "fanout/ring/handshake.hpp"

namespace fanout::worker {

struct WorkerSocket {
    int listening = -1;
    char path[kSocketPathBytes] = {};
    char token[ring::kTokenBytes + 1] = {};
};

/// Creates the socket; its file goes with the process at the latest.
void listen_for_daemon(WorkerSocket* socket);

/// Waits for an authentic hello, at most fanout.attach_timeout. Returns the connected socket; the
/// listening one is closed and its file removed.
int accept_daemon(WorkerSocket* socket);

struct WelcomeFacts {
    uint64 capacity;
    uint32 epoch;
    XLogRecPtr start_lsn;
};

void send_welcome(int connection, const WelcomeFacts& facts, const int (&descriptors)[4]);

/// Says why the worker leaves. Never fails, never waits.
void send_farewell(int connection, int sqlstate, const char* text);

}  // namespace fanout::worker
