// The state directory: one daemon by a lock, one source by an identity file.
//
//   lock             held by flock while a daemon runs
//   identity.json    the source whose state this is
//   streams/<name>/  stream.json, journal/
//   cursors/         <subscription id>.json
// Owns the lock. One thread opens; the paths may be used by any.
#pragma once

#include <string>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"

namespace fanout::state {

class StateDir {
  public:
    /// Creates what is missing and takes the lock. fatal: another daemon, or not writable.
    static Result<StateDir> open(const std::string& path);

    StateDir(StateDir&& other) noexcept;
    StateDir& operator=(StateDir&&) = delete;
    ~StateDir();

    /// Remembers the source at the first call; afterwards refuses another one, naming both.
    Status check_source(const std::string& system_identifier, Oid32 database_oid,
                        const std::string& database);

    std::string cursors() const { return path_ + "/cursors"; }
    std::string stream(const std::string& name) const { return path_ + "/streams/" + name; }
    const std::string& path() const { return path_; }

  private:
    StateDir(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
    std::string path_;
    int lock_fd_;
};

}  // namespace fanout::state
