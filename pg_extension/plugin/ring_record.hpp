// One record into the ring: in one piece straight into the claimed bytes, or, over kRecordBytesMax,
// as continuation records. The second way writes the body twice: first into the hash, because the
// checksum stands at the record's start, then into the pieces. Nothing is ever put together in
// memory.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/worker/ring_producer.hpp"
//
#include "fanout/wire/record_writer.hpp"

namespace fanout::plugin {

struct RecordStart {
    wire::Kind kind;
    uint8 flags;
    XLogRecPtr lsn;
    uint64 index;
};

/// Checksums a record that is never in one place.
class HashWriter : public wire::FieldWriter<HashWriter> {
  public:
    HashWriter() { XXH3_64bits_reset(&state_); }
    void put_bytes(const void* data, Size size) { XXH3_64bits_update(&state_, data, size); }
    void overflow() {}
    uint32 digest() const { return static_cast<uint32>(XXH3_64bits_digest(&state_)); }

  private:
    alignas(64) XXH3_state_t state_;
};

/// Cuts a record into continuation records.
class PieceWriter : public wire::FieldWriter<PieceWriter> {
  public:
    PieceWriter(worker::RingProducer* ring, XLogRecPtr lsn, uint64 total)
        : ring_(ring), lsn_(lsn), total_(total) {}

    void put_bytes(const void* data, Size size) {
        const auto* from = static_cast<const uint8*>(data);
        while (size > 0) {
            if (piece_room_ == 0) open_piece();
            const Size part = Min(size, piece_room_);
            piece_.put_bytes(from, part);
            from += part;
            size -= part;
            offset_ += part;
            piece_room_ -= part;
            if (piece_room_ == 0) close_piece();
        }
    }
    void overflow() {}

  private:
    static constexpr Size kPieceBytesMax =
        wire::kRecordBytesMax - sizeof(wire::RecordHeader) - sizeof(wire::ContinuationBody);

    void open_piece() {
        piece_room_ = Min(kPieceBytesMax, total_ - offset_);
        const uint8 flags = offset_ + piece_room_ == total_ ? wire::kFlagLastPiece : 0;
        piece_ = wire::RecordWriter(ring_->claim(wire::kRecordBytesMax), wire::kRecordBytesMax);
        piece_.start(wire::Kind::continuation, flags, ring_->epoch(), lsn_, 0);
        piece_.put(wire::ContinuationBody{total_, offset_});
    }
    void close_piece() { ring_->commit(piece_.finish()); }

    worker::RingProducer* ring_;
    XLogRecPtr lsn_;
    uint64 total_;
    uint64 offset_ = 0;
    Size piece_room_ = 0;
    wire::RecordWriter piece_{nullptr, 0};
};

[[noreturn]] void refuse_record_size(uint64 size);

template <typename Body>
void put_in_pieces(worker::RingProducer* ring, const RecordStart& start, uint64 size,
                   const Body& write_body) {
    const uint64 total = wire::pad_to_alignment(size);
    if (total > wire::kWholeRecordBytesMax) refuse_record_size(total);
    static constexpr uint8 kZeros[wire::kAlignment] = {};
    wire::RecordHeader header{static_cast<uint32>(total),
                              0,
                              static_cast<uint8>(start.kind),
                              start.flags,
                              0,
                              ring->epoch(),
                              start.lsn,
                              start.index};
    HashWriter hash;
    hash.put_bytes(reinterpret_cast<const uint8*>(&header) + wire::kChecksumFrom,
                   sizeof header - wire::kChecksumFrom);
    write_body(hash);
    hash.put_bytes(kZeros, total - size);
    header.checksum = hash.digest();
    PieceWriter pieces(ring, start.lsn, total);
    pieces.put(header);
    write_body(pieces);
    pieces.put_bytes(kZeros, total - size);
}

/// `body_size` is exact. `write_body(out)` puts the body's fields; it may be called twice.
template <typename Body>
void put_record(worker::RingProducer* ring, const RecordStart& start, uint64 body_size,
                const Body& write_body) {
    const uint64 size = sizeof(wire::RecordHeader) + body_size;
    const uint64 padded = wire::pad_to_alignment(size);
    if (unlikely(padded > wire::kRecordBytesMax)) {
        put_in_pieces(ring, start, size, write_body);
        return;
    }
    wire::RecordWriter record(ring->claim(padded), padded);
    record.start(start.kind, start.flags, ring->epoch(), start.lsn, start.index);
    write_body(record);
    const Size length = record.finish();
    if (unlikely(length != padded)) elog(ERROR, "a record is longer than was computed");
    ring->commit(length);
}

}  // namespace fanout::plugin
