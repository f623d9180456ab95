// Stands between a client and a server's socket, and cuts the client off in the moment when it has
// sent a certain word: what was sent arrives, the answer does not.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace fanout::postgres_test {

class CuttingProxy {
  public:
    /// `server_socket` is a file. The server's side is closed `later` than the client's.
    CuttingProxy(std::string server_socket, std::string word, std::chrono::microseconds later);
    ~CuttingProxy();
    CuttingProxy(const CuttingProxy&) = delete;
    CuttingProxy& operator=(const CuttingProxy&) = delete;

    /// For `host=` of a dsn.
    const std::string& directory() const { return directory_; }
    /// Cuts at the next word; before, everything passes.
    void arm() { armed_ = true; }

  private:
    void run();
    void pass(int client, int server);

    const std::string server_socket_, word_;
    const std::chrono::microseconds later_;
    std::string directory_;
    int listener_ = -1;
    std::atomic<bool> armed_{false}, ended_{false};
    std::thread thread_;
};

}  // namespace fanout::postgres_test
