#include "postgres/tests/cutting_proxy.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace fanout::postgres_test {
namespace {

constexpr int kPollMilliseconds = 20;

int unix_socket() {
    const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) throw std::runtime_error("socket");
    return made;
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
}

/// What is there, passed on; false at the end.
bool forward(int from, int to, std::string* seen) {
    std::array<char, 65536> buffer;
    const auto got = ::read(from, buffer.data(), buffer.size());
    if (got <= 0) return false;
    if (seen != nullptr) seen->append(buffer.data(), static_cast<std::size_t>(got));
    for (ssize_t sent = 0; sent < got;) {
        const auto written =
            ::send(to, buffer.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
        if (written <= 0) return false;
        sent += written;
    }
    return true;
}

}  // namespace

CuttingProxy::CuttingProxy(std::string server_socket, std::string word,
                           std::chrono::microseconds later)
    : server_socket_(std::move(server_socket)), word_(std::move(word)), later_(later) {
    std::string pattern = "/tmp/fanout-proxy-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    directory_ = pattern;
    listener_ = unix_socket();
    const auto address =
        address_of(directory_ + "/" + std::filesystem::path(server_socket_).filename().string());
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 8) != 0)
        throw std::runtime_error("bind");
    thread_ = std::thread([this] { run(); });
}

CuttingProxy::~CuttingProxy() {
    ended_ = true;
    thread_.join();
    ::close(listener_);
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

void CuttingProxy::run() {
    while (!ended_) {
        pollfd waiting{listener_, POLLIN, 0};
        if (::poll(&waiting, 1, kPollMilliseconds) <= 0) continue;
        const int client = ::accept(listener_, nullptr, nullptr);
        const int server = unix_socket();
        const auto address = address_of(server_socket_);
        if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
            pass(client, server);
        else
            ::close(client);
        ::close(server);
    }
}

/// Closes the client's side; the caller the server's.
void CuttingProxy::pass(int client, int server) {
    std::string seen;
    bool open = true;
    while (open && !ended_) {
        pollfd sides[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        if (::poll(sides, 2, kPollMilliseconds) <= 0) continue;
        if (sides[0].revents != 0) {
            const bool armed = armed_;
            if (!armed) seen.clear();
            open = forward(client, server, &seen);
            if (armed && seen.find(word_) != std::string::npos) {
                ::close(client);
                std::this_thread::sleep_for(later_);
                return;
            }
        }
        if (open && sides[1].revents != 0) open = forward(server, client, nullptr);
    }
    ::close(client);
}

}  // namespace fanout::postgres_test
