// Recovery, in the order: list, read headers, check their chain, scan the tail, cut, sync.
#include "sidecar/journal/recovery.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "fanout/base/lsn_text.hpp"
#include "sidecar/journal/journal_writer.hpp"

namespace fanout::journal {

namespace {

/// One file as found. `bytes` maps all of it, privately to recovery.
struct Found {
    std::string path;
    std::uint64_t number = 0;
    FileDescriptor file;
    std::uint64_t size = 0;
    SegmentHeader header{};
    std::unique_ptr<SegmentMapping> mapping;

    wire::Bytes bytes() const {
        return mapping ? wire::Bytes{mapping->data(), static_cast<std::size_t>(size)}
                       : wire::Bytes{};
    }
    std::uint64_t data_start() const { return kSegmentHeaderBytes + header.preamble_bytes; }
};

bool all_zero(wire::Bytes bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

Status damage(const Found& found, std::uint64_t offset, const std::string& what) {
    return Status::corruption(
        "journal segment " + found.path + ", offset " + std::to_string(offset) + ": " + what +
        "; the file was damaged after it was written. Stop fanoutd, check the disk, restore the "
        "file from a copy, or move the stream's journal directory away and resync the "
        "subscriptions that were behind");
}

std::string describe(const SourceIdentity& identity) {
    return "stream " + identity.stream + " of system " + identity.system_identifier +
           ", database " + std::to_string(identity.database_oid) + ", slot identity " +
           identity.stream_identity + ", generation " + std::to_string(identity.generation);
}

bool same_source(const SourceIdentity& a, const SourceIdentity& b) {
    return a.system_identifier == b.system_identifier && a.database_oid == b.database_oid &&
           a.stream_identity == b.stream_identity && a.generation == b.generation;
}

class Recovery {
  public:
    Recovery(const std::string& directory, const SourceIdentity& identity,
             std::uint64_t segment_bytes, Files& files, SegmentCatalog& catalog)
        : directory_(directory),
          identity_(identity),
          segment_bytes_(segment_bytes),
          files_(files),
          catalog_(catalog) {}

    Status run(Recovered& out);

  private:
    Status list();
    Status open(Found& found);
    Status drop_unborn_tail();
    Status check_header(const Found& found) const;
    Status check_chain() const;
    Status scan_tail(Recovered& out);
    Status scan(std::size_t which, Recovered& out);
    Status learn_preamble(const Found& found, RelationTable& relations) const;
    Status cut(std::size_t which, std::uint64_t offset, const std::string& why,
               RecoveryReport& report);
    Status keep(const Recovered& out);

    const std::string& directory_;
    const SourceIdentity& identity_;
    std::uint64_t segment_bytes_;
    Files& files_;
    SegmentCatalog& catalog_;
    std::vector<Found> segments_;
    std::size_t tail_begin_ = 0;    // the first that a crash may have torn
    std::uint64_t end_offset_ = 0;  // in the last file that is kept
};

Status Recovery::list() {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
        const auto number = segment_number(entry.path().filename().string());
        if (!number) continue;
        Found found;
        found.path = directory_ + "/" + entry.path().filename().string();
        found.number = *number;
        if (auto status = open(found); !status.is_ok()) return status;
        segments_.push_back(std::move(found));
    }
    if (error) return file_error("cannot read", directory_, error.value());
    std::sort(segments_.begin(), segments_.end(),
              [](const Found& a, const Found& b) { return a.number < b.number; });
    return Status::ok();
}

Status Recovery::open(Found& found) {
    auto file = files_.open(found.path);
    if (!file.is_ok()) return file.status();
    found.file = std::move(file.value());
    struct stat facts {};
    if (::fstat(found.file.get(), &facts) != 0) return file_error("cannot read", found.path, errno);
    found.size = static_cast<std::uint64_t>(facts.st_size);
    if (found.size == 0) return Status::ok();
    void* address = ::mmap(nullptr, found.size, PROT_READ, MAP_SHARED, found.file.get(), 0);
    if (address == MAP_FAILED) return file_error("cannot map", found.path, errno);
    found.mapping =
        std::make_unique<SegmentMapping>(static_cast<const std::uint8_t*>(address), found.size);
    if (found.size >= sizeof found.header) {
        std::memcpy(&found.header, found.bytes().data(), sizeof found.header);
    }
    return Status::ok();
}

/// A crash between the creation of a file and its first page on disk leaves an empty one.
Status Recovery::drop_unborn_tail() {
    while (!segments_.empty()) {
        const Found& last = segments_.back();
        const auto head = last.bytes().first(std::min<std::size_t>(last.size, kSegmentHeaderBytes));
        if (last.size >= kSegmentHeaderBytes && !all_zero(head)) break;
        if (auto status = files_.remove(last.path); !status.is_ok()) return status;
        segments_.pop_back();
    }
    return Status::ok();
}

Status Recovery::check_header(const Found& found) const {
    const SegmentHeader& header = found.header;
    if (found.size < kSegmentHeaderBytes || header.magic != kSegmentMagic) {
        return damage(found, 0, "this is not the header of a journal segment");
    }
    const bool readable = header.wire_version >= wire::kWireVersionOldest &&
                          header.wire_version <= wire::kWireVersion;
    if (header.version != kSegmentVersion || !readable) {
        return Status::fatal("journal segment " + found.path + " was written in format " +
                             std::to_string(header.version) + "." +
                             std::to_string(header.wire_version) + ", this fanoutd reads " +
                             std::to_string(kSegmentVersion) + "." +
                             std::to_string(wire::kWireVersion) +
                             "; start the fanoutd that wrote it until all subscriptions have "
                             "caught up, then move the stream's journal directory away");
    }
    if (header.checksum != header_checksum(header) || header.number != found.number) {
        return damage(found, 0, "the header's checksum does not match");
    }
    const SourceIdentity theirs = identity_of(header);
    if (!same_source(theirs, identity_)) {
        return Status::fatal("journal " + directory_ + " holds the changes of " + describe(theirs) +
                             ", but the source is " + describe(identity_) +
                             "; give this source a state directory of its own, or move the "
                             "journal directory away and resync the subscriptions");
    }
    return Status::ok();
}

/// Numbers follow each other; outside the tail each file holds at least what its successor says.
Status Recovery::check_chain() const {
    for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
        const Found& here = segments_[i];
        const Found& next = segments_[i + 1];
        if (next.number != here.number + 1) {
            return damage(here, here.size,
                          "segment " + segment_file_name(here.number + 1) + " is missing");
        }
        const std::uint64_t length = next.header.base - here.header.base;
        if (next.header.base < here.header.base) {
            return damage(next, 0, "the segment begins before the one before it");
        }
        if (i < tail_begin_ &&
            (here.size < here.data_start() || here.size - here.data_start() < length)) {
            return damage(here, here.size, "the file is shorter than it was");
        }
    }
    return Status::ok();
}

Status Recovery::learn_preamble(const Found& found, RelationTable& relations) const {
    const std::uint64_t length = found.header.preamble_bytes;
    if (length > found.size - kSegmentHeaderBytes) {
        return damage(found, found.size, "the file ends inside its preamble");
    }
    auto rest = found.bytes().subspan(kSegmentHeaderBytes, length);
    if (XXH3_64bits(rest.data(), rest.size()) != found.header.preamble_checksum) {
        return damage(found, kSegmentHeaderBytes, "the preamble's checksum does not match");
    }
    RelationTable in_force;
    while (!rest.empty()) {
        wire::RecordView record;
        const auto refusal = wire::read_record(rest, record);
        if (refusal != wire::Refusal::none) {
            return damage(found, found.data_start() - rest.size(), wire::refusal_text(refusal));
        }
        in_force.learn(record.whole);
        rest = rest.subspan(record.whole.size());
    }
    relations = std::move(in_force);
    return Status::ok();
}

Status Recovery::scan_tail(Recovered& out) {
    out.state = segments_[tail_begin_].header.state;
    for (std::size_t i = tail_begin_; i < segments_.size(); ++i) {
        const Found& found = segments_[i];
        if (auto status = learn_preamble(found, out.relations); !status.is_ok()) {
            // Its bytes were written with the header's in one go; the first segment of the tail
            // was durable before anything behind it.
            if (i == tail_begin_) return status;
            return cut(
                i - 1,
                segments_[i - 1].data_start() + found.header.base - segments_[i - 1].header.base,
                status.text(), out.report);
        }
        if (std::memcmp(&found.header.state, &out.state, sizeof out.state) != 0) {
            return damage(found, offsetof(SegmentHeader, state),
                          "the segment does not continue the one before it");
        }
        if (auto status = scan(i, out); !status.is_ok()) return status;
    }
    return Status::ok();
}

/// Record by record; on a torn one everything behind it goes, later files included.
Status Recovery::scan(std::size_t which, Recovered& out) {
    const Found& found = segments_[which];
    const bool last = which + 1 == segments_.size();
    std::uint64_t offset = found.data_start();
    const std::uint64_t end =
        last ? found.size : offset + segments_[which + 1].header.base - found.header.base;
    const std::uint64_t readable_end = std::min(end, found.size);
    while (offset < end) {
        const auto rest = found.bytes().subspan(offset, readable_end - offset);
        wire::RecordView record;
        const auto refusal = wire::read_record(rest, record);
        if (refusal != wire::Refusal::none) {
            const std::string why = last && all_zero(rest) ? "" : wire::refusal_text(refusal);
            return cut(which, offset, why, out.report);
        }
        const bool relation = out.state.is_relation(record);
        if (const char* wrong = out.state.advance(record)) return damage(found, offset, wrong);
        if (relation) out.relations.learn(record.whole);
        offset += record.whole.size();
        ++out.report.records_scanned;
    }
    end_offset_ = offset;
    return Status::ok();
}

Status Recovery::cut(std::size_t which, std::uint64_t offset, const std::string& why,
                     RecoveryReport& report) {
    const auto junk_in = [](const Found& found, std::uint64_t from) {
        std::uint64_t junk_end = found.size;
        const auto bytes = found.bytes();
        while (junk_end > from && bytes[junk_end - 1] == 0)
            --junk_end;
        return junk_end - from;
    };
    end_offset_ = offset;
    if (!why.empty()) {
        report.cut_reason =
            segments_[which].path + ", offset " + std::to_string(offset) + ": " + why;
        report.bytes_cut = junk_in(segments_[which], offset);
    }
    while (segments_.size() > which + 1) {
        report.bytes_cut += junk_in(segments_.back(), 0);
        if (auto status = files_.remove(segments_.back().path); !status.is_ok()) return status;
        segments_.pop_back();
    }
    return Status::ok();
}

/// Everything kept goes to disk before anybody builds on it, then into the catalog.
Status Recovery::keep(const Recovered& out) {
    for (std::size_t i = tail_begin_; i < segments_.size(); ++i) {
        Found& found = segments_[i];
        const bool last = i + 1 == segments_.size();
        found.mapping.reset();
        if (last) {
            auto status = files_.truncate(found.file.get(), found.path, end_offset_);
            if (!status.is_ok()) return status;
        }
        if (i > tail_begin_) {
            const std::uint64_t mark = kPredecessorDurable;
            auto status = files_.write(found.file.get(), found.path,
                                       {reinterpret_cast<const std::uint8_t*>(&mark), sizeof mark},
                                       offsetof(SegmentHeader, predecessor_durable));
            if (!status.is_ok()) return status;
        }
        if (auto status = files_.sync(found.file.get(), found.path); !status.is_ok()) return status;
    }
    if (auto status = files_.sync_directory(directory_); !status.is_ok()) return status;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        Found& found = segments_[i];
        const bool last = i + 1 == segments_.size();
        const std::uint64_t map_bytes =
            JournalWriter::map_bytes(std::max(found.data_start(), end_offset_), segment_bytes_);
        auto segment = std::make_shared<Segment>(
            found.path, found.header, last ? std::move(found.file) : FileDescriptor(), map_bytes);
        if (!last) segment->seal(segments_[i + 1].header.base);
        catalog_.add(std::move(segment));
    }
    const Found& last = segments_.back();
    const std::uint64_t end = last.header.base + end_offset_ - last.data_start();
    catalog_.appended = catalog_.synced = end;
    catalog_.end_lsn = catalog_.durable_end_lsn = out.state.end_lsn;
    return Status::ok();
}

Status Recovery::run(Recovered& out) {
    if (auto status = list(); !status.is_ok()) return status;
    if (auto status = drop_unborn_tail(); !status.is_ok()) return status;
    for (const Found& found : segments_) {
        if (auto status = check_header(found); !status.is_ok()) return status;
    }
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        if (segments_[i].header.predecessor_durable == kPredecessorDurable) tail_begin_ = i;
    }
    if (auto status = check_chain(); !status.is_ok()) return status;
    if (segments_.empty()) return Status::ok();
    if (auto status = scan_tail(out); !status.is_ok()) return status;
    out.report.segments = segments_.size();
    out.report.open_transaction = out.state.unfinished();
    return keep(out);
}

}  // namespace

Result<Recovered> recover(const std::string& directory, const SourceIdentity& identity,
                          std::uint64_t segment_bytes, Files& files, SegmentCatalog& catalog) {
    Recovered out;
    if (auto status = Recovery(directory, identity, segment_bytes, files, catalog).run(out);
        !status.is_ok()) {
        return status;
    }
    return out;
}

}  // namespace fanout::journal
