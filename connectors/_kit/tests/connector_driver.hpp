// Drives a connector class in a test: options and host made up, outcomes as values.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "fanout/connector/connector.hpp"

namespace fanout::kit {

/// A directory that goes with the test.
class TestDirectory {
  public:
    TestDirectory() {
        std::string pattern = std::filesystem::temp_directory_path() / "fanout-test-XXXXXX";
        path_ = ::mkdtemp(pattern.data());
    }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    ~TestDirectory() { std::filesystem::remove_all(path_); }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

struct Failure {
    fanout_outcome outcome = FANOUT_OK;
    std::string message, hint;
    Position at;
};

template <typename Call>
Failure failure_of(Call&& call) {
    try {
        call();
    } catch (const connector::ConnectorError& e) {
        return {e.outcome(), e.what(), e.hint(), e.at()};
    }
    return {};
}

inline const fanout_host& quiet_host() {
    static const fanout_host host = {.context = nullptr,
                                     .log = [](void*, int, const char*) {},
                                     .stopping = [](void*) { return 0; }};
    return host;
}

inline connector::Options make_options(const std::map<std::string, std::string>& values) {
    std::vector<fanout_option> list;
    for (const auto& [name, value] : values)
        list.push_back({name.c_str(), value.c_str()});
    return {list.data(), list.size()};
}

inline fanout_session session_of(std::uint64_t epoch = 1, const char* subscription = "sub",
                                 const char* stream = "stream-1") {
    return {.subscription = subscription,
            .stream_identity = stream,
            .epoch = epoch,
            .create_tables = 1};
}

/// The cursor of transaction `number`, and that transaction with one change.
inline fanout_cursor cursor_of(std::uint64_t number) {
    return {number * 256, number * 256 + 48, static_cast<std::int64_t>(number)};
}

inline void write_one(connector::Connector& target, std::uint64_t number,
                      const fanout_change& change) {
    const fanout_cursor cursor = cursor_of(number);
    const fanout_transaction transaction{cursor.commit_lsn,
                                         cursor.end_lsn,
                                         cursor.commit_time,
                                         static_cast<std::uint32_t>(number),
                                         1,
                                         1,
                                         &change,
                                         1};
    const fanout_batch batch{&transaction, 1, 1};
    target.write(batch);
}

}  // namespace fanout::kit
