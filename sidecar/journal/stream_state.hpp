// Where a stream of records stands: what is complete, what is open, which record may come next.
//
// StreamState is plain data, copied by whoever wants to look ahead. The grammar it checks (a * is
// "any number"):
//
//   stream       (transaction | keepalive | message outside a transaction | relation)*
//   transaction  begin (relation | row | truncate | transactional message)*
//                (commit | abort)
//   any record but begin, commit, abort and keepalive may come as a group of continuation pieces;
//   an abort may also end an unfinished group
//
// A relation record may stand between transactions: the drain keeps those of a transaction that
// the journal has already.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/wire/record_reader.hpp"

namespace fanout::journal {

/// Also stored in every segment header (little-endian, like the wire format).
struct StreamState {
    Lsn end_lsn = 0;               // every transaction whose commit record starts before it is here
    Lsn last_commit_lsn = 0;       // of the last complete transaction
    Lsn last_message_lsn = 0;      // of the last message outside a transaction
    Lsn open_commit_lsn = 0;       // of the open transaction; 0 = none
    Lsn open_end_lsn = 0;          // and the end of its commit record
    std::uint64_t open_index = 0;  // ordinal of the last change in the open transaction
    std::uint64_t group_total = 0;  // bytes of the record that is arriving in pieces; 0 = none
    std::uint64_t group_next = 0;   // bytes of it that have arrived
    std::uint32_t group_kind = 0;   // wire::Kind of that record
    std::uint32_t reserved = 0;

    bool in_transaction() const { return open_commit_lsn != 0; }
    bool in_group() const { return group_total != 0; }
    /// Something has begun that an abort record has to end before anything else may follow.
    bool unfinished() const { return in_transaction() || in_group(); }

    /// Is the next record, if it is this one, a relation record or a piece of one?
    bool is_relation(const wire::RecordView& record) const;

    /// Takes the next record. Returns null, or what is wrong with it (a literal).
    const char* advance(const wire::RecordView& record);

  private:
    const char* take_piece(const wire::RecordView& record);
    const char* take_whole(wire::Kind kind, std::uint8_t flags, Lsn lsn, std::uint64_t index);
    const char* begin(const wire::RecordView& record);
    const char* commit(const wire::RecordView& record);
};
static_assert(sizeof(StreamState) == 72);

/// The relation records in force: the last ones of every table (one for each group of subscriptions
/// that get different things of it), in the very bytes that came. Drain thread only. Becomes the
/// preamble of each new segment, so that a lane can begin there; grows with the number of tables,
/// never with the number of records.
class RelationTable {
  public:
    /// Takes a relation record, or the next piece of one (whose order was checked already).
    void learn(wire::Bytes record);

    void clear();

    /// All of them, one behind the other.
    std::vector<std::uint8_t> preamble() const;

  private:
    /// `header` is the relation record's own, also if it came in pieces.
    void put(const wire::RecordHeader& header, Oid32 table, wire::Bytes bytes);

    std::map<Oid32, std::vector<std::uint8_t>> in_force_;
    std::vector<std::uint8_t> arriving_;  // pieces of the one that is not complete yet
};

}  // namespace fanout::journal
