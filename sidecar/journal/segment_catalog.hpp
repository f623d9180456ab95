// The segments of one journal, and how far each part of it has come.
//
// Shared by the drain thread (adds, seals), the sync thread, the lanes (find, map) and trim
// (removes). The list is behind one small mutex, taken when a reader changes its segment, never
// per record; the ends are atomics.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "sidecar/journal/files.hpp"
#include "sidecar/journal/retention.hpp"
#include "sidecar/journal/segment_format.hpp"

namespace fanout::journal {

/// Most bytes one append may bring.
inline constexpr std::uint64_t kAppendBytesMax = 4ULL << 20;

/// The mapped bytes of one segment file, shared by all readers; unmapped with the last of them.
class SegmentMapping {
  public:
    SegmentMapping(const std::uint8_t* data, std::size_t length) : data_(data), length_(length) {}
    ~SegmentMapping();
    SegmentMapping(const SegmentMapping&) = delete;
    SegmentMapping& operator=(const SegmentMapping&) = delete;

    const std::uint8_t* data() const { return data_; }
    std::size_t length() const { return length_; }

    /// The pages between two file offsets need not stay resident: who reads them again gets them
    /// from the page cache.
    void let_go(std::uint64_t from, std::uint64_t to) const;

  private:
    const std::uint8_t* data_;
    std::size_t length_;
};

/// One segment file. Everything but `end`, the file and the mapping is fixed from its birth.
class Segment {
  public:
    static constexpr std::uint64_t kOpen = std::numeric_limits<std::uint64_t>::max();

    Segment(std::string path, const SegmentHeader& header, FileDescriptor file,
            std::uint64_t map_bytes)
        : path_(std::move(path)), header_(header), file_(std::move(file)), map_bytes_(map_bytes) {}

    const std::string& path() const { return path_; }
    std::uint64_t number() const { return header_.number; }
    std::uint64_t base() const { return header_.base; }
    Lsn first_lsn() const { return header_.first_lsn; }
    const SegmentHeader& header() const { return header_; }

    std::uint64_t data_start() const { return kSegmentHeaderBytes + header_.preamble_bytes; }
    std::uint64_t file_offset(std::uint64_t position) const {
        return data_start() + (position - base());
    }

    /// Logical offset behind the last record, kOpen while it is written to (SYNC POINT: release by
    /// the drain when it rolls, acquire by readers and the sync thread).
    std::uint64_t end() const { return end_.load(std::memory_order_acquire); }
    void seal(std::uint64_t end) { end_.store(end, std::memory_order_release); }

    /// Open until it is sealed and synced.
    int file() const { return file_.get(); }
    void close_file() { file_.reset(); }

    /// Maps the file, or joins the mapping that is there. io if the file is gone.
    Result<std::shared_ptr<SegmentMapping>> map();

  private:
    std::string path_;
    SegmentHeader header_;
    FileDescriptor file_;
    std::uint64_t map_bytes_;
    std::atomic<std::uint64_t> end_{kOpen};
    std::mutex map_mutex_;
    std::weak_ptr<SegmentMapping> mapping_;
};

class SegmentCatalog {
  public:
    using Pointer = std::shared_ptr<Segment>;

    void add(Pointer segment);
    bool empty() const;
    Pointer last() const;
    /// The last segment in which everything from `from` on is still ahead; null if none reaches
    /// back that far.
    Pointer find(Lsn from) const;
    /// Null if it is gone (or was never there).
    Pointer with_number(std::uint64_t number) const;
    /// Those that hold bytes at or behind logical offset `position`, oldest first.
    std::vector<Pointer> from_position(std::uint64_t position) const;
    /// LSN from which the journal is complete; 0 while it is empty.
    Lsn first_lsn() const;

    /// Sealed segments that end at or before `synced`, oldest first.
    std::vector<SegmentFacts> sealed(std::uint64_t synced) const;
    std::vector<Pointer> remove_oldest(std::size_t count);
    /// Bytes in files, room reserved for later not counted.
    std::uint64_t bytes() const;

    // What has been reached. `appended` is published last by the drain (SYNC POINT: release;
    // readers acquire), so whoever sees it sees the bytes and the other words.
    std::atomic<std::uint64_t> appended{0};  // logical offset, visible to readers
    std::atomic<std::uint64_t> synced{0};    // logical offset, on disk
    std::atomic<Lsn> end_lsn{0};
    std::atomic<Lsn> durable_end_lsn{0};
    /// An open transaction has outgrown its segment: it cannot be trimmed before it ends, whatever
    /// the limits say.
    std::atomic<bool> transaction_spans_segments{false};

  private:
    mutable std::mutex mutex_;
    std::vector<Pointer> segments_;  // oldest first; the last one is written to
};

}  // namespace fanout::journal
