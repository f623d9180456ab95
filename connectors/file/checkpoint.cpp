#include "file/checkpoint.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "fanout/base/fault_point.hpp"
#include "fanout/base/lsn_text.hpp"
#include "fanout/connector/connector.hpp"
#include "file/open_descriptor.hpp"
#include "file/system_error.hpp"

namespace fanout::file_target {
namespace {

using connector::ConnectorError;
using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::size_t kSize = 512;  // of the checkpoint, padded

std::string read_all(int descriptor, const std::string& path) {
    std::string text;
    char part[4096];
    for (;;) {
        const ssize_t got = ::read(descriptor, part, sizeof part);
        if (got == 0) return text;
        if (got < 0 && errno != EINTR) throw_system_error("read", path, errno);
        if (got > 0) text.append(part, static_cast<std::size_t>(got));
    }
}

Lsn lsn_member(const json& object, const char* name) {
    const auto lsn = parse_lsn(object.at(name).get_ref<const std::string&>());
    if (!lsn) throw std::invalid_argument(std::string(name) + " is not a log position");
    return *lsn;
}

Checkpoint parse(const std::string& text) {
    const json object = json::parse(text);
    if (object.at("version").get<int>() != kVersion)
        throw std::invalid_argument("version " + object.at("version").dump() + " is unknown");
    return {.subscription = object.at("subscription"),
            .stream_identity = object.at("stream_identity"),
            .epoch = object.at("epoch"),
            .length = object.at("length"),
            .tail_hash = object.at("tail_hash"),
            .cursor = {.commit_lsn = lsn_member(object, "commit_lsn"),
                       .end_lsn = lsn_member(object, "end_lsn"),
                       .commit_time = object.at("commit_time")},
            .notes = object.value("notes", std::map<std::string, std::string>{})};
}

std::string text_of(const Checkpoint& checkpoint) {
    json object = {{"version", kVersion},
                   {"subscription", checkpoint.subscription},
                   {"stream_identity", checkpoint.stream_identity},
                   {"epoch", checkpoint.epoch},
                   {"length", checkpoint.length},
                   {"tail_hash", checkpoint.tail_hash},
                   {"commit_lsn", lsn_text(checkpoint.cursor.commit_lsn)},
                   {"end_lsn", lsn_text(checkpoint.cursor.end_lsn)},
                   {"commit_time", checkpoint.cursor.commit_time}};
    if (!checkpoint.notes.empty()) object["notes"] = checkpoint.notes;
    return object.dump() + "\n";
}

}  // namespace

std::string checkpoint_path(const std::string& file_path) {
    return file_path + ".checkpoint";
}

std::optional<Checkpoint> read_checkpoint(const std::string& file_path) {
    const std::string path = checkpoint_path(file_path);
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_open()) {
        if (errno == ENOENT) return std::nullopt;
        throw_system_error("open the checkpoint", path, errno);
    }
    const std::string text = read_all(file.get(), path);
    try {
        return parse(text);
    } catch (const std::exception& e) {
        throw ConnectorError(FANOUT_FATAL,
                             "\"" + path + "\" is not a checkpoint of pg_fanout: " + e.what(),
                             "restore it from a backup, or move it and the file away to begin "
                             "a new file");
    }
}

namespace {

/// Fills the spare file in place: nearly always of the same size, so nothing but its data changes.
void write_spare(const std::string& path, std::string text) {
    text.insert(text.size() - 1, kSize - std::min(kSize, text.size()), ' ');
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!file.is_open()) throw_system_error("create", path, errno);
    const ssize_t written = ::pwrite(file.get(), text.data(), text.size(), 0);
    if (written < 0) throw_system_error("write", path, errno);
    if (static_cast<std::size_t>(written) != text.size()) throw_system_error("write", path, ENOSPC);
    if (::ftruncate(file.get(), static_cast<off_t>(text.size())) != 0)
        throw_system_error("cut", path, errno);
    if (::fsync(file.get()) != 0) throw_system_error("fsync", path, errno);
}

}  // namespace

// Exchanging the two names is as atomic as replacing one, and spares the file system a new file
// per flush: on ext4 that search was a quarter of the cost of a flush.
void write_checkpoint(const std::string& file_path, int directory, const Checkpoint& checkpoint) {
    const std::string path = checkpoint_path(file_path);
    const std::string spare = path + ".tmp";
    write_spare(spare, text_of(checkpoint));
    FANOUT_FAULT_HERE("file.checkpoint_unrenamed");
    if (::renameat2(AT_FDCWD, spare.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) != 0 &&
        ::rename(spare.c_str(), path.c_str()) != 0)
        throw_system_error("rename to", path, errno);
    FANOUT_FAULT_HERE("file.checkpoint_renamed");
    if (::fsync(directory) != 0) throw_system_error("fsync the directory of", path, errno);
}

}  // namespace fanout::file_target
