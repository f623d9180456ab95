// A journal in a temporary directory, with ways to append to it, read it back, and break its disk.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fanout/base/lsn_text.hpp"
#include "sidecar/drain/span_walk.hpp"
#include "sidecar/journal/journal.hpp"
#include "sidecar/journal/segment_format.hpp"
#include "tests/unit/sample_stream.hpp"

namespace fanout::testing {

inline journal::SourceIdentity sample_identity() {
    return {"7123456789012345678", 16384, "main", "6f1c2a3e-0000-4000-8000-000000000001", 1};
}

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        const auto pattern = (std::filesystem::temp_directory_path() / "fanout-XXXXXX").string();
        std::vector<char> path(pattern.begin(), pattern.end());
        path.push_back('\0');
        if (::mkdtemp(path.data()) != nullptr) path_ = path.data();
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

/// Fails on demand: the n-th call of a kind from now (1 = the next), and all after it if `sticky`.
class ScriptedFiles : public journal::Files {
  public:
    struct Fault {
        std::atomic<int> countdown{0};  // 0 = never
        std::atomic<bool> sticky{false};
        std::atomic<int> calls{0};

        bool strikes() {
            ++calls;
            if (countdown == 0) return false;
            if (countdown > 1) {
                --countdown;
                return false;
            }
            if (!sticky) countdown = 0;
            return true;
        }
    };
    Fault creates, allocates, writes, syncs;
    std::atomic<bool> writes_half{false};  // what a failing write leaves behind

    Result<journal::FileDescriptor> create(const std::string& path) override {
        if (creates.strikes()) return journal::file_error("cannot create", path, ENOSPC);
        return Files::create(path);
    }
    Status allocate(int fd, const std::string& path, std::uint64_t size) override {
        if (allocates.strikes())
            return journal::file_error("cannot reserve room for", path, ENOSPC);
        return Files::allocate(fd, path, size);
    }
    Status write(int fd, const std::string& path, std::span<const std::uint8_t> bytes,
                 std::uint64_t offset) override {
        if (writes.strikes()) {
            if (writes_half) {
                (void)Files::write(fd, path, bytes.first(bytes.size() / 2), offset).is_ok();
            }
            return journal::file_error("cannot write to", path, ENOSPC);
        }
        return Files::write(fd, path, bytes, offset);
    }
    Status sync(int fd, const std::string& path) override {
        if (syncs.strikes()) return journal::file_error("cannot sync", path, EIO);
        return Files::sync(fd, path);
    }
};

/// What a lane would have seen: complete transactions, by commit LSN, with their values.
struct SeenTransaction {
    Lsn commit_lsn = 0;
    std::vector<std::string> values;
    friend bool operator==(const SeenTransaction&, const SeenTransaction&) = default;
};

struct Seen {
    std::vector<SeenTransaction> transactions;
    std::vector<Lsn> keepalives;
    std::vector<std::pair<Oid32, std::uint32_t>> relations;  // table, version
    std::vector<std::string> messages;
    int aborts = 0;
    bool inside = false;  // a transaction is open at the end
    journal::ReadOutcome last = journal::ReadOutcome::at_end;

    std::vector<Lsn> commits() const {
        std::vector<Lsn> all;
        for (const auto& transaction : transactions)
            all.push_back(transaction.commit_lsn);
        return all;
    }
};

inline void see(const wire::RecordView& record, Seen& seen, SeenTransaction& open) {
    wire::BodyCursor cursor(record.body);
    switch (record.kind()) {
        case wire::Kind::begin:
            EXPECT_FALSE(seen.inside);
            seen.inside = true;
            open = {record.header.lsn, {}};
            break;
        case wire::Kind::commit:
            EXPECT_TRUE(seen.inside);
            EXPECT_EQ(open.commit_lsn, record.header.lsn);
            seen.inside = false;
            seen.transactions.push_back(std::move(open));
            break;
        case wire::Kind::abort:
            EXPECT_TRUE(seen.inside);
            seen.inside = false;
            ++seen.aborts;
            break;
        case wire::Kind::insert: {
            EXPECT_TRUE(seen.inside);
            cursor.take<wire::RowBody>();
            wire::ValueView value;
            EXPECT_EQ(wire::take_value(cursor, 0, value), wire::Refusal::none);
            open.values.emplace_back(value.data.begin(), value.data.end());
            break;
        }
        case wire::Kind::relation: {
            const auto body = cursor.take<wire::RelationBody>();
            seen.relations.emplace_back(body.relation, body.version);
            break;
        }
        case wire::Kind::keepalive:
            seen.keepalives.push_back(record.header.lsn);
            break;
        case wire::Kind::message: {
            const auto body = cursor.take<wire::MessageBody>();
            cursor.take_bytes(body.prefix_size);
            const auto content = cursor.take_bytes(body.content_size);
            seen.messages.emplace_back(content.begin(), content.end());
            break;
        }
        default:
            ADD_FAILURE() << "kind " << int(record.header.kind);
    }
}

inline Seen read_all(journal::JournalReader& reader) {
    Seen seen;
    SeenTransaction open;
    wire::RecordView record;
    while ((seen.last = reader.next(record)) == journal::ReadOutcome::record) {
        see(record, seen, open);
    }
    reader.release();
    return seen;
}

class JournalFixture : public ::testing::Test {
  protected:
    TemporaryDirectory directory_;
    journal::JournalOptions options_;
    std::shared_ptr<ScriptedFiles> files_ = std::make_shared<ScriptedFiles>();
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<drain::SpanWalk> walk_;

    JournalFixture() {
        options_.segment_bytes = 64 << 10;
        options_.sync_interval = std::chrono::milliseconds(0);
    }

    std::filesystem::path path() const { return directory_.path() / "journal"; }

    Status open() { return open(path()); }
    Status open(const std::filesystem::path& path) {
        journal_.reset();
        auto opened = journal::Journal::open(path, sample_identity(), options_, files_);
        if (!opened.is_ok()) return opened.status();
        journal_ = std::move(opened.value());
        return Status::ok();
    }

    /// Opens a new journal at LSN 0x100.
    void open_and_attach(std::uint32_t epoch = 1, Lsn start = 0x100) {
        ASSERT_TRUE(open().is_ok()) << open().text();
        attach(epoch, start);
    }
    void attach(std::uint32_t epoch, Lsn start) {
        const auto status = journal_->begin_attachment(start, epoch);
        ASSERT_TRUE(status.is_ok()) << status.text();
        walk_ = std::make_unique<drain::SpanWalk>(epoch);
    }

    /// As the drain does it, the whole span.
    Status append(wire::Bytes bytes) {
        while (!bytes.empty()) {
            if (auto status = journal_->prepare_append(); !status.is_ok()) return status;
            if (!walk_->plan(bytes, journal_->state(), journal_->wants_boundary())) {
                return Status::corruption(walk_->refusal());
            }
            if (auto status = journal_->append(walk_->append()); !status.is_ok()) return status;
            bytes = bytes.subspan(walk_->consumed());
        }
        return Status::ok();
    }
    Status append(const SampleStream& stream) { return append(stream.view()); }

    Seen read(Lsn from = 0x100) {
        auto reader = journal_->new_reader();
        EXPECT_TRUE(reader->seek(from)) << reader->status().text();
        return read_all(*reader);
    }

    std::vector<std::filesystem::path> segments() const { return segments(path()); }
    static std::vector<std::filesystem::path> segments(const std::filesystem::path& path) {
        std::vector<std::filesystem::path> found;
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            found.push_back(entry.path());
        }
        std::sort(found.begin(), found.end());
        return found;
    }
};

inline std::vector<std::uint8_t> file_bytes(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<long>(bytes.size()));
}

}  // namespace fanout::testing
