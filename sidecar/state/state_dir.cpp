// See state_dir.hpp.
#include "sidecar/state/state_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "sidecar/state/durable_file.hpp"

namespace fanout::state {
namespace {

namespace fs = std::filesystem;

Status unusable(const std::string& path, const std::string& why) {
    return Status::fatal("the state directory " + path + " cannot be used: " + why +
                         "; it must be writable for the user that runs fanoutd");
}

/// Who holds the lock, for the message; empty if the file does not say.
std::string holder(int fd) {
    char text[32] = {};
    const auto size = ::pread(fd, text, sizeof text - 1, 0);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

Result<StateDir> StateDir::open(const std::string& path) {
    std::error_code error;
    for (const auto& directory : {path, path + "/streams", path + "/cursors"}) {
        fs::create_directories(directory, error);
        if (error) return unusable(path, directory + ": " + error.message());
    }
    const std::string lock = path + "/lock";
    const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return unusable(path, lock + ": " + std::strerror(errno));
    StateDir made(path, fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const std::string pid = holder(fd);
        return Status::fatal("the state directory " + path + " is in use by another fanoutd" +
                             (pid.empty() ? "" : " (process " + pid + ")") +
                             "; stop that one, or give this one a directory of its own");
    }
    const std::string pid = std::to_string(::getpid());
    if (::ftruncate(fd, 0) != 0 ||
        ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
        return unusable(path, lock + ": " + std::strerror(errno));
    return made;
}

StateDir::StateDir(StateDir&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

StateDir::~StateDir() {
    if (lock_fd_ >= 0) ::close(lock_fd_);
}

Status StateDir::check_source(const std::string& system_identifier, Oid32 database_oid,
                              const std::string& database) {
    const std::string file_name = path_ + "/identity.json";
    using nlohmann::ordered_json;
    std::ifstream file(file_name);
    if (!file) {
        const ordered_json json{{"system_identifier", system_identifier},
                                {"database_oid", database_oid},
                                {"database", database}};
        return replace_file(file_name, json.dump() + "\n");
    }
    const auto describe = [](const std::string& system, Oid32 oid, const std::string& name) {
        return "database \"" + name + "\" (OID " + std::to_string(oid) + ") of system " + system;
    };
    try {
        const auto json = ordered_json::parse(file);
        const auto system = json.at("system_identifier").get<std::string>();
        const auto oid = json.at("database_oid").get<Oid32>();
        if (system == system_identifier && oid == database_oid) return Status::ok();
        return Status::fatal(
            "the state directory " + path_ + " is of another source: it belongs to " +
            describe(system, oid, json.at("database").get<std::string>()) +
            ", but --source leads to " + describe(system_identifier, database_oid, database) +
            "; give each source a state directory of its own");
    } catch (const std::exception& e) {
        return Status::corruption(file_name + " is damaged (" + e.what() +
                                  "); if the directory is surely of this source, remove that file");
    }
}

}  // namespace fanout::state
