// The socket to the decoding worker: handshake, the four descriptors, the last words.
//
// Used by the control thread to connect, then moved into the Drain. What arrives is checked and
// refused by name; extra or missing descriptors are closed and refused.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "fanout/ring/handshake.hpp"
#include "sidecar/journal/files.hpp"

namespace fanout::drain {

using journal::FileDescriptor;

/// What the worker said before it left.
struct LastWords {
    std::string sqlstate;
    std::string text;
};

/// Null if `packet` is a well-formed welcome; else what is wrong with it (a literal).
const char* check_welcome(std::string_view packet, ring::Welcome& out);
/// Nothing if `packet` is not a well-formed farewell.
std::optional<LastWords> read_farewell(std::string_view packet);

class WorkerConnection {
  public:
    /// Connects, says hello, waits for the welcome. retry: nobody listens or no answer in time;
    /// fatal: refused (token, peer, version), with the worker's own words.
    static Result<WorkerConnection> connect(const std::string& socket_path,
                                            const std::string& token,
                                            std::chrono::milliseconds timeout);
    /// The same on a connected socket.
    static Result<WorkerConnection> greet(FileDescriptor socket, const std::string& token,
                                          std::chrono::milliseconds timeout);

    const ring::Welcome& welcome() const { return welcome_; }
    Lsn start_lsn() const { return welcome_.start_lsn; }
    std::uint32_t epoch() const { return welcome_.epoch; }
    int socket() const { return socket_.get(); }
    int descriptor(ring::Descriptor which) const { return descriptors_[which].get(); }

    /// What the readable socket holds: nothing yet, last words, or its end.
    struct News {
        bool ended = false;
        std::optional<LastWords> last_words;
        const char* refusal = nullptr;  // a packet that may not come
    };
    News read_news();

  private:
    WorkerConnection() = default;

    FileDescriptor socket_;
    std::array<FileDescriptor, ring::kDescriptorCount> descriptors_;
    ring::Welcome welcome_{};
};

}  // namespace fanout::drain
