// The target file and what guards it: a lock against a second writer, a fence against an older
// one, and the checkpoint that says how much of the file counts.
//
//   <path>             the lines
//   <path>.checkpoint  length, cursor, owner (checkpoint.hpp)
//   <path>.lock        flock()ed while open; holds the newest epoch that asked for the file
//
// Lane's thread. Owns the three descriptors. Must never let the checkpoint name bytes that are not
// durable, nor repeat a failed fsync as if it had worked: after any error the file is closed, and
// open() cuts it back to the checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fanout/connector/abi.h"
#include "file/checkpoint.hpp"
#include "file/open_descriptor.hpp"

namespace fanout::file_target {

class TargetFile {
  public:
    explicit TargetFile(std::string path) : path_(std::move(path)) {}

    /// Locks, fences, cuts the file back to its checkpoint; returns the checkpoint's cursor.
    fanout_cursor open(const fanout_session& session);
    void append(std::string_view bytes);
    /// Makes what was appended durable, then the checkpoint that counts it.
    void commit(const fanout_cursor& cursor);
    /// Counts from the next commit on; nothing removes it.
    void put_note(const std::string& name, const std::optional<std::string>& text);
    const std::map<std::string, std::string>& notes() const { return notes_; }
    /// Takes back what was appended since the last commit, and lets go.
    void close() noexcept;
    /// Could open() work? Creates and changes nothing.
    void test() const;

  private:
    void open_directory();
    void lock(const fanout_session& session);
    void refuse_other_owner(const fanout_session& session, const Checkpoint& found) const;
    void open_lines();
    void restore(const Checkpoint* found);
    void begin_writing_out();
    void check_untouched() const;
    bool newer_writer_asked() const;
    void ask_for_file() const;
    std::uint64_t hash_tail(std::uint64_t length) const;

    std::string path_;
    Descriptor directory_, lock_, lines_;
    Checkpoint checkpoint_;                     // the one on disk
    std::map<std::string, std::string> notes_;  // of the next one
    std::uint64_t end_ = 0;                     // where the next append goes
    std::uint64_t written_out_ = 0;             // up to here the disk has been asked to write
    bool checkpoint_in_doubt_ = false;  // its replacement failed half-way: open() has to look
};

}  // namespace fanout::file_target
