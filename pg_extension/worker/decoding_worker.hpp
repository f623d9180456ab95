// What a decoding worker is told at its start, and what it tells back. Lives in a dynamic shared
// memory segment that belongs to the session in fanout.launch_worker(); the worker is done with it
// as soon as it listens or has failed.
#pragma once

#include "pg_extension/pg.hpp"
//
#include <atomic>

#include "fanout/ring/handshake.hpp"

namespace fanout::worker {

inline constexpr const char* kWorkerType = "pg_fanout worker";
inline constexpr Size kErrorTextBytes = 1024;
inline constexpr Size kSocketPathBytes = 108;  // sun_path

enum class LaunchState : uint32 { starting, listening, failed };

struct LaunchRequest {
    Oid database;
    NameData slot;
    int32 stream_id;
    uint32 epoch;
    XLogRecPtr start_lsn;  // invalid: the slot's confirmed position
    uint64 ring_bytes;
    pid_t launcher_pid;
};

struct LaunchError {
    int code;  // SQLSTATE, packed
    char message[kErrorTextBytes];
    char detail[kErrorTextBytes];
    char hint[kErrorTextBytes];
};

struct LaunchArea {
    std::atomic<LaunchState> state;  // release by the worker, after the rest
    LaunchRequest request;
    char socket_path[kSocketPathBytes];
    char token[ring::kTokenBytes + 1];
    pid_t worker_pid;
    XLogRecPtr confirmed_lsn;
    TimeLineID timeline;
    LaunchError error;
};

}  // namespace fanout::worker
