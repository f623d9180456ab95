// Handshake with the worker; everything that arrives is untrusted.
#include "sidecar/drain/worker_connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "fanout/ring/ring_layout.hpp"

namespace fanout::drain {

namespace {

/// More than may come, so that a surplus is seen and closed.
constexpr int kDescriptorsAccepted = 8;

std::string fixed_text(const char* text, std::size_t size) {
    return {text, ::strnlen(text, size)};
}

Status socket_error(const char* what, int error) {
    char buffer[128];
    return Status::retry(std::string(what) + ": " + ::strerror_r(error, buffer, sizeof buffer));
}

/// Waits until the socket is readable.
Status await_readable(int fd, std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd entry{fd, POLLIN, 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(std::max<long>(left.count(), 0)));
        if (ready > 0) return Status::ok();
        if (ready == 0) return Status::retry("the decoding worker did not answer the handshake");
        if (errno != EINTR) return socket_error("cannot wait for the decoding worker", errno);
    }
}

struct Packet {
    std::string bytes;
    std::vector<FileDescriptor> descriptors;
};

void take_descriptors(const msghdr& message, Packet& packet) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(const_cast<msghdr*>(&message), part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            packet.descriptors.emplace_back(fd);
        }
    }
}

Result<Packet> receive(int socket) {
    char buffer[sizeof(ring::Welcome) + 1];  // one more, so that a longer packet is noticed
    alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsAccepted * sizeof(int))];
    iovec part{buffer, sizeof buffer};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t size;
    do {
        size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0) return socket_error("cannot read from the decoding worker", errno);
    Packet packet;
    take_descriptors(message, packet);
    if ((message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0) {
        return Status::corruption("the decoding worker sent more than a handshake may hold");
    }
    packet.bytes.assign(buffer, static_cast<std::size_t>(size));
    return packet;
}

Status refused_by_worker(const ring::Welcome& welcome) {
    const std::string text = fixed_text(welcome.text, sizeof welcome.text);
    return Status::fatal("the decoding worker refused the connection: " +
                         (text.empty() ? "status " + std::to_string(welcome.status) : text));
}

}  // namespace

const char* check_welcome(std::string_view packet, ring::Welcome& out) {
    if (packet.size() != sizeof out) return "the welcome has another size than this version's";
    std::memcpy(&out, packet.data(), sizeof out);
    if (out.magic != ring::kWelcomeMagic) return "the welcome begins with something else";
    if (out.status != static_cast<std::uint32_t>(ring::HandshakeStatus::ok)) return nullptr;
    if (out.version != ring::kProtocolVersion) return "the welcome is of another version";
    const bool power_of_two = (out.capacity & (out.capacity - 1)) == 0;
    if (out.capacity < ring::kCapacityMin || out.capacity > ring::kCapacityMax || !power_of_two) {
        return "the ring's capacity is impossible";
    }
    return nullptr;
}

std::optional<LastWords> read_farewell(std::string_view packet) {
    ring::Farewell farewell;
    if (packet.size() != sizeof farewell) return {};
    std::memcpy(&farewell, packet.data(), sizeof farewell);
    if (farewell.magic != ring::kFarewellMagic) return {};
    return LastWords{fixed_text(farewell.sqlstate, sizeof farewell.sqlstate),
                     fixed_text(farewell.text, sizeof farewell.text)};
}

Result<WorkerConnection> WorkerConnection::connect(const std::string& socket_path,
                                                   const std::string& token,
                                                   std::chrono::milliseconds timeout) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.size() >= sizeof address.sun_path) {
        return Status::fatal("socket path " + socket_path +
                             " is too long; set pg_fanout.socket_directory to a shorter one");
    }
    std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
    FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return socket_error("cannot make a socket", errno);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int error = errno;
        if (error == EACCES || error == EPERM) {
            return Status::fatal("cannot connect to " + socket_path +
                                 ": permission denied; the user who runs fanoutd must be able to "
                                 "reach pg_fanout.socket_directory");
        }
        return socket_error(("cannot connect to " + socket_path).c_str(), error);
    }
    return greet(std::move(socket), token, timeout);
}

Result<WorkerConnection> WorkerConnection::greet(FileDescriptor socket, const std::string& token,
                                                 std::chrono::milliseconds timeout) {
    ring::Hello hello{};
    hello.magic = ring::kHelloMagic;
    hello.version_min = hello.version_max = ring::kProtocolVersion;
    if (token.size() != sizeof hello.token) {
        return Status::fatal("the token from fanout.attach() has " + std::to_string(token.size()) +
                             " bytes; extension and fanoutd must be of one version");
    }
    std::memcpy(hello.token, token.data(), sizeof hello.token);
    if (::send(socket.get(), &hello, sizeof hello, MSG_NOSIGNAL) !=
        static_cast<ssize_t>(sizeof hello)) {
        return socket_error("cannot greet the decoding worker", errno);
    }
    if (auto status = await_readable(socket.get(), timeout); !status.is_ok()) return status;
    auto received = receive(socket.get());
    if (!received.is_ok()) return received.status();
    Packet& packet = received.value();
    if (packet.bytes.empty()) return Status::retry("the decoding worker hung up at the handshake");
    if (const auto words = read_farewell(packet.bytes)) return Status::retry(words->text);

    WorkerConnection connection;
    if (const char* wrong = check_welcome(packet.bytes, connection.welcome_)) {
        return Status::fatal(std::string("handshake with the decoding worker: ") + wrong +
                             "; extension and fanoutd must be of one version");
    }
    if (connection.welcome_.status != static_cast<std::uint32_t>(ring::HandshakeStatus::ok)) {
        return refused_by_worker(connection.welcome_);
    }
    if (packet.descriptors.size() != connection.descriptors_.size()) {
        return Status::corruption(
            "the decoding worker sent " + std::to_string(packet.descriptors.size()) +
            " descriptors instead of " + std::to_string(connection.descriptors_.size()));
    }
    std::move(packet.descriptors.begin(), packet.descriptors.end(),
              connection.descriptors_.begin());
    connection.socket_ = std::move(socket);
    return connection;
}

WorkerConnection::News WorkerConnection::read_news() {
    News news;
    pollfd entry{socket_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 0) <= 0) return news;
    auto received = receive(socket_.get());
    // A reset is told once and before the packets that came earlier: those count.
    if (!received.is_ok()) received = receive(socket_.get());
    if (!received.is_ok() || received.value().bytes.empty()) {
        news.ended = true;
        return news;
    }
    news.last_words = read_farewell(received.value().bytes);
    if (!news.last_words) news.refusal = "the decoding worker sent a packet that may not come";
    return news;
}

}  // namespace fanout::drain
