// Writes streams of records as a decoding worker would, for tests.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "fanout/wire/record_reader.hpp"
#include "fanout/wire/record_writer.hpp"

namespace fanout::testing {

/// Collects the bytes of records. Transactions get their LSNs in order: commit LSN `lsn`, end LSN
/// `lsn` + 0x30, as if every commit record were 0x30 bytes long.
class SampleStream {
  public:
    static constexpr Lsn kCommitBytes = 0x30;

    explicit SampleStream(std::uint32_t epoch = 1) : epoch_(epoch) {}

    std::vector<std::uint8_t> bytes;
    std::vector<std::size_t> ends;  // offset behind each record

    void set_epoch(std::uint32_t epoch) { epoch_ = epoch; }

    void begin(Lsn lsn) {
        lsn_ = lsn;
        index_ = 0;
        put(wire::Kind::begin, 0, lsn, 0, [&](wire::RecordWriter& out) {
            out.put(wire::BeginBody{lsn + kCommitBytes, 1000, 741, 0});
        });
    }

    void commit() {
        put(wire::Kind::commit, 0, lsn_, 0, [&](wire::RecordWriter& out) {
            out.put(wire::CommitBody{lsn_ + kCommitBytes, 1000, index_});
        });
    }

    void relation(Oid32 table, std::uint32_t version = 1, std::string_view name = "orders",
                  std::uint8_t flags = 0) {
        put(wire::Kind::relation, flags, lsn_, 0, [&](wire::RecordWriter& out) {
            out.put(wire::RelationBody{table, version, 'd', 'r', 1, 1, 0});
            out.put_text("public");
            out.put_text(name);
            out.put(wire::ColumnBody{25, -1, 1, static_cast<std::uint8_t>(wire::ValueClass::bytes),
                                     wire::kColumnKey, 0, 0});
            out.put_text("id");
            out.put_text("text");
            out.put(std::uint32_t{7});
        });
    }

    void insert(Oid32 table, std::string_view value, std::uint32_t version = 1) {
        put(wire::Kind::insert, 0, lsn_, ++index_, [&](wire::RecordWriter& out) {
            out.put(wire::RowBody{table, version, 0, {}});
            out.put_sized(value.data(), static_cast<std::uint32_t>(value.size()));
        });
    }

    void keepalive(Lsn lsn, std::uint8_t flags = 0) {
        put(wire::Kind::keepalive, flags, lsn, 0,
            [&](wire::RecordWriter& out) { out.put(wire::KeepaliveBody{2000}); });
    }

    /// Inside the open transaction.
    void message(std::string_view prefix, std::string_view content) {
        put_message(wire::kFlagTransactional, lsn_, ++index_, prefix, content);
    }
    void message_outside(Lsn lsn, std::string_view prefix, std::string_view content) {
        put_message(0, lsn, 0, prefix, content);
    }

    /// The last record again, cut into pieces whose bodies carry `piece_bytes` (multiple of 8).
    void cut_last_into_pieces(std::size_t piece_bytes) {
        const std::size_t start = ends.size() > 1 ? ends[ends.size() - 2] : 0;
        const std::vector<std::uint8_t> whole(bytes.begin() + static_cast<long>(start),
                                              bytes.end());
        bytes.resize(start);
        ends.pop_back();
        for (std::size_t offset = 0; offset < whole.size(); offset += piece_bytes) {
            const std::size_t size = std::min(piece_bytes, whole.size() - offset);
            const bool last = offset + size == whole.size();
            put(wire::Kind::continuation, last ? wire::kFlagLastPiece : std::uint8_t{0}, lsn_, 0,
                [&](wire::RecordWriter& out) {
                    out.put(wire::ContinuationBody{whole.size(), offset});
                    out.put_bytes(whole.data() + offset, size);
                });
        }
    }

    /// begin, a relation record if `announce`, `rows` inserts, commit.
    void transaction(Lsn lsn, int rows, bool announce = false) {
        begin(lsn);
        if (announce) relation(100);
        for (int i = 0; i < rows; ++i)
            insert(100, "value " + std::to_string(i));
        commit();
    }

    wire::Bytes view() const { return {bytes.data(), bytes.size()}; }
    void clear() {
        bytes.clear();
        ends.clear();
    }

    /// Any record at all.
    template <typename Body>
    void put(wire::Kind kind, std::uint8_t flags, Lsn lsn, std::uint64_t index, const Body& body) {
        std::vector<std::uint8_t> room(kRoom);
        while (true) {
            wire::RecordWriter writer(room.data(), room.size());
            writer.start(kind, flags, epoch_, lsn, index);
            body(writer);
            if (const std::size_t length = writer.finish(); length != 0) {
                bytes.insert(bytes.end(), room.begin(), room.begin() + static_cast<long>(length));
                ends.push_back(bytes.size());
                return;
            }
            room.resize(room.size() * 4);
        }
    }

  private:
    static constexpr std::size_t kRoom = 4096;

    void put_message(std::uint8_t flags, Lsn lsn, std::uint64_t index, std::string_view prefix,
                     std::string_view content) {
        put(wire::Kind::message, flags, lsn, index, [&](wire::RecordWriter& out) {
            out.put(wire::MessageBody{static_cast<std::uint32_t>(prefix.size()),
                                      static_cast<std::uint32_t>(content.size())});
            out.put_bytes(prefix.data(), prefix.size());
            out.put_bytes(content.data(), content.size());
        });
    }

    std::uint32_t epoch_;
    Lsn lsn_ = 0;
    std::uint64_t index_ = 0;
};

}  // namespace fanout::testing
