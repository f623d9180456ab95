// A small JSON file, so that a person can read it.
#include "sidecar/lane/cursor_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fanout/base/lsn_text.hpp"

namespace fanout::lane {
namespace {

using nlohmann::ordered_json;

Status failed(const char* what, const std::string& path) {
    return Status::io(std::string("cannot ") + what + " " + path + ": " + std::strerror(errno) +
                      "; make room or mend the state directory");
}

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

Status write_synced(const std::string& path, const std::string& text) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return failed("create", path);
    std::size_t done = 0;
    while (done < text.size()) {
        const auto written = ::write(file.get(), text.data() + done, text.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failed("write", path);
        done += static_cast<std::size_t>(written);
    }
    if (::fsync(file.get()) != 0) return failed("sync", path);
    return Status::ok();
}

Lsn lsn_member(const ordered_json& json, const char* name) {
    const auto lsn = parse_lsn(json.at(name).get<std::string>());
    if (!lsn) throw std::runtime_error(std::string(name) + " is not an LSN");
    return *lsn;
}

}  // namespace

CursorStore::CursorStore(std::string directory, std::uint32_t subscription,
                         std::string stream_identity)
    : directory_(std::move(directory)),
      path_(directory_ + "/" + std::to_string(subscription) + ".json"),
      stream_identity_(std::move(stream_identity)) {}

Result<StoredCursor> CursorStore::load() const {
    std::ifstream file(path_);
    if (!file) {
        if (errno == ENOENT) return StoredCursor{};
        return failed("read", path_);
    }
    try {
        const auto json = ordered_json::parse(file);
        StoredCursor stored;
        if (json.at("stream_identity").get<std::string>() != stream_identity_) return stored;
        stored.cursor.commit_lsn = lsn_member(json, "commit_lsn");
        stored.cursor.end_lsn = lsn_member(json, "end_lsn");
        stored.cursor.commit_time = json.at("commit_time").get<std::int64_t>();
        stored.rows_read = json.at("rows_read").get<std::uint64_t>();
        stored.rows_delivered = json.at("rows_delivered").get<std::uint64_t>();
        stored.rows_filtered = json.at("rows_filtered").get<std::uint64_t>();
        stored.transactions = json.at("transactions").get<std::uint64_t>();
        return stored;
    } catch (const std::exception& e) {
        return Status::corruption("the cursor file " + path_ + " is damaged (" + e.what() +
                                  "); remove it to deliver again from where the subscription or "
                                  "its target's own cursor begins");
    }
}

Status CursorStore::save(const StoredCursor& stored) const {
    const ordered_json json{{"stream_identity", stream_identity_},
                            {"commit_lsn", lsn_text(stored.cursor.commit_lsn)},
                            {"end_lsn", lsn_text(stored.cursor.end_lsn)},
                            {"commit_time", stored.cursor.commit_time},
                            {"rows_read", stored.rows_read},
                            {"rows_delivered", stored.rows_delivered},
                            {"rows_filtered", stored.rows_filtered},
                            {"transactions", stored.transactions}};
    const std::string fresh = path_ + ".new";
    if (auto written = write_synced(fresh, json.dump() + "\n"); !written.is_ok()) return written;
    if (::rename(fresh.c_str(), path_.c_str()) != 0) return failed("replace", path_);
    const Descriptor directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0 || ::fsync(directory.get()) != 0) return failed("sync", directory_);
    return Status::ok();
}

void CursorStore::remove() const {
    ::unlink(path_.c_str());
}

}  // namespace fanout::lane
