// The bytes of one record: kinds, header, bodies. Pairs with docs/record-format.md.
//
// This folder is the one place that knows an offset. Everything is little-endian; every record
// begins on an 8-byte boundary and its length is a multiple of 8. Writer: the decoding worker
// (and `abort`, which the drain writes). Readers treat every byte as untrusted.
//
// Raise kWireVersion when the meaning or place of any byte below changes. Adding a kind that old
// readers may skip does not raise it; kinds are numbered here from the first version even where
// their code comes later.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fanout::wire {

static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");

inline constexpr std::uint16_t kWireVersion = 3;
/// The oldest version whose records mean the same to a reader of this one.
inline constexpr std::uint16_t kWireVersionOldest = 1;

enum class Kind : std::uint8_t {
    begin = 1,
    commit = 2,
    abort = 3,  // the open transaction is void: drop what came since its begin
    relation = 4,
    insert = 5,
    update = 6,
    remove = 7,  // DELETE
    truncate = 8,
    message = 9,
    ddl = 10,
    sequence = 11,
    keepalive = 12,
    stream_start = 13,
    stream_stop = 14,
    stream_commit = 15,
    stream_abort = 16,
    prepare = 17,
    commit_prepared = 18,
    rollback_prepared = 19,
    backfill_row = 20,
    continuation = 21,  // a piece of a record too large for the ring
    filtered = 22,      // rows of the transaction that predicates left out
    unjudged = 23,      // a row on which a predicate could not be evaluated
    rewritten = 24,     // a row of a table that is written anew, behind the ddl that says so
};
inline constexpr std::uint8_t kKindMax = 24;

/// Header flags.
inline constexpr std::uint8_t kFlagReportRequested = 0x01;  // keepalive: somebody waits for it
inline constexpr std::uint8_t kFlagLastPiece = 0x02;        // continuation: the last piece
inline constexpr std::uint8_t kFlagTransactional = 0x04;    // message
inline constexpr std::uint8_t kFlagCascade = 0x08;          // truncate
inline constexpr std::uint8_t kFlagRestartIdentity = 0x10;  // truncate
inline constexpr std::uint8_t kFlagUnreadable = 0x10;       // unjudged: its values cannot be had
inline constexpr std::uint8_t kFlagAlso = 0x20;     // relation: those of the table before it stay
inline constexpr std::uint8_t kFlagReasons = 0x40;  // relation: texts say why the denied are denied

inline constexpr std::uint8_t kFlagFirstRows = 0x80;  // ddl rewrite: the rows were never sent yet

inline constexpr std::size_t kAlignment = 8;

/// Every record begins with this. `checksum` is the low half of XXH3-64 over bytes 8 .. length.
struct RecordHeader {
    std::uint32_t length;    // whole record with header and padding; multiple of 8
    std::uint32_t checksum;  // over everything after this field
    std::uint8_t kind;       // Kind
    std::uint8_t flags;
    std::uint16_t reserved;  // 0
    std::uint32_t epoch;     // of the attachment that produced it
    std::uint64_t lsn;       // commit LSN of the transaction; keepalive and message: see bodies
    std::uint64_t index;     // ordinal in the transaction, counted from 1 over row changes,
                             // truncates, schema changes, sequences and messages; otherwise 0
};
static_assert(sizeof(RecordHeader) == 32 && std::is_trivially_copyable_v<RecordHeader>);
static_assert(offsetof(RecordHeader, kind) == 8 && offsetof(RecordHeader, epoch) == 12);
static_assert(offsetof(RecordHeader, lsn) == 16 && offsetof(RecordHeader, index) == 24);

/// Body of begin. `lsn` of the header is the start of the commit record.
struct BeginBody {
    std::uint64_t end_lsn;  // end of the commit record: what a consumer confirms
    std::int64_t commit_time;
    std::uint32_t xid;
    std::uint32_t origin;  // replication origin id, 0 = local
};
static_assert(sizeof(BeginBody) == 24);

/// Body of commit. `change_count` is the index of the last record of the transaction.
struct CommitBody {
    std::uint64_t end_lsn;
    std::int64_t commit_time;
    std::uint64_t change_count;
};
static_assert(sizeof(CommitBody) == 24);

/// Body of keepalive. The header's lsn says: every transaction whose commit record starts before
/// it has been sent. Never sent inside a transaction.
struct KeepaliveBody {
    std::int64_t sent_time;
};
static_assert(sizeof(KeepaliveBody) == 8);

/// Replica identity, as in pg_class.relreplident.
enum class Identity : std::uint8_t { by_default = 'd', full = 'f', index = 'i', nothing = 'n' };

/// Body of relation, followed by: text schema, text name, ColumnBody + text name + text
/// type name for each column, then wanted_count and denied_count subscription ids (u32 each), then,
/// with kFlagReasons, a text for each denied one, empty if its owner may not read the table.
/// `text` is a u16 length and that many bytes in the database's encoding.
struct RelationBody {
    std::uint32_t relation;  // OID
    std::uint32_t version;   // grows with every change of shape within one epoch
    std::uint8_t identity;   // Identity
    std::uint8_t relkind;    // as in pg_class.relkind
    std::uint16_t column_count;
    std::uint16_t wanted_count;  // subscriptions that get its rows
    std::uint16_t denied_count;  // subscriptions whose owner may not read it
};
static_assert(sizeof(RelationBody) == 16);

inline constexpr std::uint8_t kColumnKey = 0x01;  // part of the replica identity
inline constexpr std::uint8_t kColumnNotNull = 0x02;
inline constexpr std::uint8_t kColumnGenerated = 0x04;   // stored generated column
inline constexpr std::uint8_t kColumnIdentity = 0x08;    // GENERATED … AS IDENTITY
inline constexpr std::uint8_t kColumnPrimaryKey = 0x10;  // part of the primary key

struct ColumnBody {
    std::uint32_t type;  // OID; of a domain its base type: it says how the values are made
    std::int32_t typmod;
    std::int16_t attnum;
    std::uint8_t value_class;  // ValueClass
    std::uint8_t flags;
    std::uint16_t width;  // bytes of a `fixed` value, else 0
    std::uint16_t reserved;
};
static_assert(sizeof(ColumnBody) == 16);

/// What the old image of an update or delete holds.
enum class OldImage : std::uint8_t { none = 0, key = 1, full = 2 };

/// Body of insert, update, remove and rewritten, followed by the old image (if any), then the new
/// image (all but remove). An image is one value per column of the relation, see value_format.hpp.
struct RowBody {
    std::uint32_t relation;
    std::uint32_t version;  // of the relation record it is read with
    std::uint8_t old_image;
    std::uint8_t reserved[7];
};
static_assert(sizeof(RowBody) == 16);

/// Body of filtered, followed by `count` times FilteredCount. Stands before the commit.
struct FilteredBody {
    std::uint32_t count;
    std::uint32_t reserved;
};
static_assert(sizeof(FilteredBody) == 8);

/// A version may be counted more than once.
struct FilteredCount {
    std::uint32_t relation;
    std::uint32_t version;
    std::uint64_t rows;
};
static_assert(sizeof(FilteredCount) == 16);

/// Body of unjudged, followed by: text error, text key. For the subscriptions of that version.
struct UnjudgedBody {
    std::uint32_t relation;
    std::uint32_t version;
};
static_assert(sizeof(UnjudgedBody) == 8);

/// Body of truncate, followed by relation_count OIDs (u32 each).
struct TruncateBody {
    std::uint32_t relation_count;
    std::uint32_t reserved;
};
static_assert(sizeof(TruncateBody) == 8);

/// Body of message, followed by the prefix and then the content. A message outside a transaction
/// carries its own LSN in the header and index 0, and stands between transactions.
struct MessageBody {
    std::uint32_t prefix_size;
    std::uint32_t content_size;
};
static_assert(sizeof(MessageBody) == 8);

/// Body of continuation, followed by the next bytes of a whole record (header included). Pieces
/// of one record follow each other directly, offsets ascending without a gap.
struct ContinuationBody {
    std::uint64_t total_size;
    std::uint64_t offset;
};
static_assert(sizeof(ContinuationBody) == 16);

/// A record that is not in pieces is at most this long; the ring is at least four times it.
inline constexpr std::uint32_t kRecordBytesMax = 256 * 1024;

/// Largest record in pieces that a reader accepts: two images of a row of 1 GB fields would be
/// more, and is refused by name.
inline constexpr std::uint64_t kWholeRecordBytesMax = 4ULL * 1024 * 1024 * 1024 - 8;

}  // namespace fanout::wire
