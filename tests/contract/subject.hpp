// The connector under test, as fanoutd would load it: a shared object and its instances.
//
// Whatever a connector prints during a call goes to <directory>/standard_output, where the
// target's hook can find it, and not between the lines of the test report.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "fanout/connector/abi.h"

namespace fanout::contract {

/// Loads the shared object once per process; stops the process if it cannot.
const fanout_connector& load_connector(const std::string& path);

using OptionValues = std::map<std::string, std::string>;

struct Outcome {
    fanout_outcome code = FANOUT_OK;
    std::string message, hint;
    std::uint64_t commit_lsn = 0, index = 0;
};

struct Session {
    std::string subscription = "orders_copy";
    std::string stream_identity = "0c7a9d0e-5f0b-4a86-9b7f-2f1f6f3f2a11";
    std::uint64_t epoch = 1;
    bool create_tables = true;
};

/// One instance. Options missing from `options` get their defaults, as the host does it.
class Instance {
  public:
    Instance(const fanout_connector& connector, const OptionValues& options,
             const std::string& directory);
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;
    ~Instance() { destroy(); }

    const Outcome& created() const { return created_; }
    Outcome open(const Session& session, fanout_cursor* cursor = nullptr);
    Outcome write(const std::vector<fanout_transaction>& transactions);
    /// Until it is durable, also where a flush may be ahead.
    Outcome flush(const fanout_cursor& cursor);
    Outcome begin_flush(const fanout_cursor& cursor);
    Outcome settle(fanout_settle until, fanout_progress* progress = nullptr);
    Outcome test();
    void close();
    void interrupt();
    /// As a crash of the host leaves it: no close before.
    void destroy();

  private:
    static constexpr std::size_t kKept = 200;

    template <typename Call>
    Outcome guarded(Call&& call);

    const fanout_connector& connector_;
    std::string standard_output_;
    std::deque<std::vector<fanout_transaction>> kept_;  // a connector may be ahead of its writes
    std::atomic<int> stopping_ = 0;
    fanout_host host_;
    void* self_ = nullptr;
    Outcome created_;
};

}  // namespace fanout::contract
