#include "file/target_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "fanout/base/fault_point.hpp"
#include "fanout/connector/connector.hpp"
#include "file/system_error.hpp"

namespace fanout::file_target {
namespace {

using connector::ConnectorError;

std::string directory_of(const std::string& path) {
    return std::filesystem::path(path).parent_path().string();
}

std::uint64_t size_of(int file, const std::string& path) {
    struct stat status {};
    if (::fstat(file, &status) != 0) throw_system_error("look at", path, errno);
    return static_cast<std::uint64_t>(status.st_size);
}

std::string bytes_text(std::uint64_t bytes) {
    return std::to_string(bytes) + " bytes";
}

}  // namespace

fanout_cursor TargetFile::open(const fanout_session& session) {
    open_directory();
    checkpoint_ = {};
    checkpoint_.subscription = session.subscription;
    checkpoint_.stream_identity = session.stream_identity;
    checkpoint_.epoch = session.epoch;
    lock(session);

    const auto found = read_checkpoint(path_);
    if (found) refuse_other_owner(session, *found);
    open_lines();
    restore(found ? &*found : nullptr);
    return checkpoint_.cursor;
}

void TargetFile::open_directory() {
    const std::string name = directory_of(path_);
    directory_ = Descriptor(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory_.is_open()) throw_system_error("open the directory", name, errno);
}

/// The lock keeps a second writer out; the epoch left in it tells a running older one to go.
void TargetFile::lock(const fanout_session& session) {
    const std::string name = path_ + ".lock";
    lock_ = Descriptor(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!lock_.is_open()) throw_system_error("open the lock file", name, errno);

    const bool locked = ::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK) throw_system_error("lock", name, errno);
    if (newer_writer_asked())
        throw ConnectorError(FANOUT_FENCED, "\"" + path_ + "\" belongs to a newer fanoutd");
    if (!locked) {
        if (const auto found = read_checkpoint(path_)) refuse_other_owner(session, *found);
        ask_for_file();
        throw ConnectorError(FANOUT_RETRY, "\"" + path_ + "\" is locked by another writer",
                             "it lets go when its fanoutd stops or next commits; if a foreign "
                             "program holds \"" +
                                 name + "\", stop that");
    }
    ask_for_file();
}

bool TargetFile::newer_writer_asked() const {
    char text[512];
    const ssize_t size = ::pread(lock_.get(), text, sizeof text, 0);
    if (size < 0) throw_system_error("read", path_ + ".lock", errno);
    std::istringstream words(std::string(text, static_cast<std::size_t>(size)));
    std::uint64_t epoch = 0;
    std::string stream_identity;
    words >> epoch >> stream_identity;
    return stream_identity == checkpoint_.stream_identity && epoch > checkpoint_.epoch;
}

void TargetFile::ask_for_file() const {
    const std::string text =
        std::to_string(checkpoint_.epoch) + " " + checkpoint_.stream_identity + "\n";
    if (::ftruncate(lock_.get(), 0) != 0 || ::pwrite(lock_.get(), text.data(), text.size(), 0) < 0)
        throw_system_error("write", path_ + ".lock", errno);
}

void TargetFile::refuse_other_owner(const fanout_session& session, const Checkpoint& found) const {
    const std::string hint = "move \"" + path_ + "\" and its checkpoint away, or name another path";
    if (found.subscription != session.subscription)
        throw ConnectorError(FANOUT_FATAL,
                             "\"" + path_ + "\" belongs to subscription \"" + found.subscription +
                                 "\": a file serves one subscription",
                             hint);
    if (found.stream_identity != session.stream_identity)
        throw ConnectorError(FANOUT_FATAL,
                             "\"" + path_ + "\" was written from another stream (" +
                                 found.stream_identity + ", now " + session.stream_identity +
                                 "): its slot was re-created, and changes may lie between",
                             hint);
    if (found.epoch > session.epoch)
        throw ConnectorError(FANOUT_FENCED, "\"" + path_ + "\" belongs to a newer fanoutd (epoch " +
                                                std::to_string(found.epoch) + ", ours is " +
                                                std::to_string(session.epoch) + ")");
}

void TargetFile::open_lines() {
    constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    lines_ = Descriptor(::open(path_.c_str(), kFlags, 0640));
    if (!lines_.is_open()) throw_system_error("open", path_, errno);
    struct stat status {};
    if (::fstat(lines_.get(), &status) != 0) throw_system_error("look at", path_, errno);
    if (!S_ISREG(status.st_mode))
        throw ConnectorError(FANOUT_FATAL, "\"" + path_ + "\" is not a regular file",
                             "exactly once needs a file that can be cut back: name another path");
}

/// Brings the file to what the checkpoint counts, and both to the disk under our epoch.
void TargetFile::restore(const Checkpoint* found) {
    const std::uint64_t size = size_of(lines_.get(), path_);
    if (found == nullptr && size > 0)
        throw ConnectorError(FANOUT_FATAL,
                             "\"" + path_ + "\" has " + bytes_text(size) +
                                 " but no checkpoint: it is somebody else's file",
                             "name a new file, or move this one away");
    if (found != nullptr) {
        if (size < found->length)
            throw ConnectorError(FANOUT_FATAL,
                                 "\"" + path_ + "\" was shortened by someone: it has " +
                                     bytes_text(size) + ", its checkpoint counts " +
                                     bytes_text(found->length),
                                 "restore the file, or move it and its checkpoint away and "
                                 "re-create the subscription");
        if (hash_tail(found->length) != found->tail_hash)
            throw ConnectorError(FANOUT_FATAL,
                                 "\"" + path_ + "\" was changed by someone: the " +
                                     "bytes before its checkpoint are not the ones written",
                                 "restore the file, or move it and its checkpoint away and "
                                 "re-create the subscription");
        if (size > found->length && ::ftruncate(lines_.get(), static_cast<off_t>(found->length)))
            throw_system_error("cut back", path_, errno);
        checkpoint_.length = found->length;
        checkpoint_.cursor = found->cursor;
        checkpoint_.notes = found->notes;
    }
    notes_ = checkpoint_.notes;
    end_ = written_out_ = checkpoint_.length;
    checkpoint_.tail_hash = hash_tail(end_);
    if (::fsync(lines_.get()) != 0) throw_system_error("fsync", path_, errno);
    checkpoint_in_doubt_ = true;
    write_checkpoint(path_, directory_.get(), checkpoint_);
    checkpoint_in_doubt_ = false;
}

void TargetFile::put_note(const std::string& name, const std::optional<std::string>& text) {
    if (text) {
        notes_[name] = *text;
    } else {
        notes_.erase(name);
    }
}

void TargetFile::append(std::string_view bytes) {
    // Before writing: our own bytes would hide that somebody cut the file.
    check_untouched();
    while (!bytes.empty()) {
        const ssize_t written =
            ::pwrite(lines_.get(), bytes.data(), bytes.size(), static_cast<off_t>(end_));
        if (written < 0 && errno != EINTR) throw_system_error("write", path_, errno);
        if (written <= 0) continue;
        end_ += static_cast<std::uint64_t>(written);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    begin_writing_out();
}

/// The disk works while the next lines are made, so that commit() finds little left to wait for.
/// Only a hint: whatever goes wrong comes up again in commit().
void TargetFile::begin_writing_out() {
    constexpr std::uint64_t kStretchBytes = 1U << 20;
    if (end_ < written_out_ + kStretchBytes) return;
    const std::uint64_t size = end_ - written_out_;
    (void)::sync_file_range(lines_.get(), static_cast<off_t>(written_out_),
                            static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
    written_out_ = end_;
}

void TargetFile::commit(const fanout_cursor& cursor) {
    if (newer_writer_asked())
        throw ConnectorError(FANOUT_FENCED, "a newer fanoutd asked for \"" + path_ + "\"");
    check_untouched();
    FANOUT_FAULT_HERE("file.written");
    if (end_ != checkpoint_.length && ::fdatasync(lines_.get()) != 0)
        throw_system_error("fsync", path_, errno);
    FANOUT_FAULT_HERE("file.synced");
    Checkpoint next = checkpoint_;
    next.length = end_;
    next.cursor = cursor;
    next.notes = notes_;
    if (end_ != checkpoint_.length) next.tail_hash = hash_tail(end_);
    checkpoint_in_doubt_ = true;
    write_checkpoint(path_, directory_.get(), next);
    checkpoint_in_doubt_ = false;
    checkpoint_ = next;
}

/// Log rotation and editors: nobody may move, cut or extend the file while we count its bytes.
void TargetFile::check_untouched() const {
    struct stat ours {
    }, named{};
    if (::fstat(lines_.get(), &ours) != 0) throw_system_error("look at", path_, errno);
    const bool there = ::stat(path_.c_str(), &named) == 0;
    if (!there || ours.st_ino != named.st_ino || ours.st_dev != named.st_dev)
        throw ConnectorError(FANOUT_FATAL,
                             "\"" + path_ + "\" was moved or removed while it was written",
                             "put it back; to begin a new file, stop the subscription and move "
                             "the file together with its checkpoint");
    if (static_cast<std::uint64_t>(ours.st_size) != end_)
        throw ConnectorError(FANOUT_FATAL,
                             "\"" + path_ + "\" was changed by someone while it was written: " +
                                 bytes_text(static_cast<std::uint64_t>(ours.st_size)) + " where " +
                                 bytes_text(end_) + " were expected",
                             "stop the other program; if the file is shorter than its "
                             "checkpoint, restore it");
}

std::uint64_t TargetFile::hash_tail(std::uint64_t length) const {
    char tail[kTailBytes];
    const std::size_t size = std::min<std::uint64_t>(length, sizeof tail);
    std::size_t have = 0;
    while (have < size) {
        const ssize_t got = ::pread(lines_.get(), tail + have, size - have,
                                    static_cast<off_t>(length - size + have));
        if (got < 0 && errno != EINTR) throw_system_error("read", path_, errno);
        if (got == 0) break;
        if (got > 0) have += static_cast<std::size_t>(got);
    }
    return XXH3_64bits(tail, have);
}

void TargetFile::close() noexcept {
    // While the checkpoint is in doubt, the one on disk may already count these bytes.
    if (lines_.is_open() && end_ > checkpoint_.length && !checkpoint_in_doubt_) {
        // A failure leaves bytes that the next open() cuts off.
        [[maybe_unused]] const int result =
            ::ftruncate(lines_.get(), static_cast<off_t>(checkpoint_.length));
    }
    lines_.reset();
    lock_.reset();
    directory_.reset();
    end_ = written_out_ = 0;
    checkpoint_ = {};
    notes_.clear();
    checkpoint_in_doubt_ = false;
}

void TargetFile::test() const {
    const std::string directory = directory_of(path_);
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0)
        throw_system_error("open the directory", directory, errno);
    if (::access(directory.c_str(), W_OK | X_OK) != 0)
        throw_system_error("write into the directory", directory, errno);
    if (::lstat(path_.c_str(), &status) != 0) {
        if (errno != ENOENT) throw_system_error("look at", path_, errno);
        return;
    }
    if (!S_ISREG(status.st_mode))
        throw ConnectorError(FANOUT_FATAL, "\"" + path_ + "\" is not a regular file",
                             "name another path");
    if (::access(path_.c_str(), R_OK | W_OK) != 0) throw_system_error("write", path_, errno);
    if (status.st_size > 0 && !read_checkpoint(path_))
        throw ConnectorError(FANOUT_FATAL,
                             "\"" + path_ +
                                 "\" is not empty and has no checkpoint: it is "
                                 "somebody else's file",
                             "name a new file, or move this one away");
}

}  // namespace fanout::file_target
