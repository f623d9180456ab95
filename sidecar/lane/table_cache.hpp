// The tables a lane has met: relation records as connectors see them, and whose they are.
//
// Owns copies of the relation records; rows point into the tables, so a table that was replaced
// stays until forget_replaced(), which the lane calls when no batch is alive. Lane thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "fanout/connector/abi.h"
#include "fanout/wire/record_reader.hpp"

namespace fanout::lane {

/// Rows of one table, over all its versions.
struct TableCount {
    Oid32 oid = 0;
    std::string schema, name;
    char identity = 'd';
    std::uint64_t rows_delivered = 0;  // durable at the target
};

/// One version of one table, as some of the subscriptions see it.
struct CachedTable {
    std::vector<std::uint8_t> record;  // body of the relation record; names point into it
    std::vector<fanout_column> columns;
    fanout_table table{};
    std::uint32_t epoch = 0;
    std::uint32_t version = 0;
    std::uint8_t record_flags = 0;
    bool wanted = false;          // the subscription gets its rows
    bool denied = false;          // it would, but its owner may not read the table
    std::string refusal;          // or what it asks for does not fit the table any more
    bool wanted_by_any = false;   // its rows are in the journal at all
    TableCount* count = nullptr;  // owned by the cache

    std::string full_name() const;
};

class TableCache {
  public:
    explicit TableCache(std::uint32_t subscription) : subscription_(subscription) {}
    std::uint32_t subscription() const { return subscription_; }

    /// Takes a relation record; the table becomes the one in force for its OID.
    Result<const CachedTable*> take(const wire::RecordView& record);

    /// The one this subscription sees, or else any; null if no relation record named it.
    const CachedTable* find(Oid32 oid) const;

    /// Null if that version is not in force.
    const CachedTable* find(Oid32 oid, std::uint32_t version) const;

    /// Drops versions that are no longer in force. No change may point to one.
    void forget_replaced() { replaced_.clear(); }
    bool has_replaced() const { return !replaced_.empty(); }

    /// Everything but the counts: before reading from another place.
    void clear();

    std::unordered_map<Oid32, TableCount>& counts() { return counts_; }

    /// Where the rows of a table are counted. Copied rows may come before any relation record.
    TableCount& count_of(const fanout_table& table);

  private:
    using Versions = std::vector<std::unique_ptr<CachedTable>>;

    Status parse(CachedTable& into, bool has_reasons) const;
    const CachedTable* known(const Versions& versions, const wire::RecordView& record) const;

    const std::uint32_t subscription_;
    /// More than one where subscriptions want different rows or columns.
    std::unordered_map<Oid32, Versions> in_force_;
    std::vector<std::unique_ptr<CachedTable>> replaced_;
    std::unordered_map<Oid32, TableCount> counts_;
};

}  // namespace fanout::lane
