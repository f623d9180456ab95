// Asking the source for a decoding worker: one short session, fanout.attach(), the socket.
//
// The worker lives as long as the socket, not as the session. Stream thread.
#pragma once

#include <cstdint>
#include <string>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "sidecar/drain/worker_connection.hpp"

namespace fanout::stream {

struct AttachRequest {
    std::string conninfo;
    std::string stream;
    Lsn from = 0;        // how far the journal is durable; 0: it is empty
    std::string daemon;  // host:pid, for the catalog
    int stop_fd = -1;
    std::uint64_t last_epoch = 0;  // of this state directory's last attachment; 0: none
};

struct Attachment {
    std::string identity, system_identifier;
    std::uint64_t epoch = 0;
    int worker_pid = 0;
    std::string socket_path, token;
    Lsn source_end = 0;  // of the source's WAL, a moment before
};

/// retry: may pass by itself. fatal: a person has to act; the text begins with the server's own
/// word for it (slot_lost, slot_ahead, source_rewound) where it has one.
Result<Attachment> attach(const AttachRequest& request);

}  // namespace fanout::stream
