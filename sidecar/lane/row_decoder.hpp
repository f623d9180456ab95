// Row, truncate, schema change and message records → fanout_change, without copying a value: the
// change points into the record's bytes, its value tables stand in the arena. No state; lane
// thread.
#pragma once

#include <span>
#include <string_view>

#include "fanout/base/status.hpp"
#include "fanout/connector/abi.h"
#include "fanout/wire/record_reader.hpp"
#include "sidecar/lane/arena.hpp"
#include "sidecar/lane/table_cache.hpp"

namespace fanout::lane {

/// The table a record about a row says it is about; 0 if it is too short to say.
struct RowTable {
    Oid32 oid = 0;
    std::uint32_t version = 0;
};
RowTable row_table(const wire::RecordView& record);

/// insert, update, remove or rewritten of `table`.
Status decode_row(const wire::RecordView& record, const CachedTable& table, Arena& arena,
                  fanout_change& out);

/// Truncate of those of its tables that the subscription wants; table_count 0 if none. A table of
/// which no relation record came is nobody's. `denied` is set if its owner may not read one.
Status decode_truncate(const wire::RecordView& record, const TableCache& tables, Arena& arena,
                       fanout_change& out, const CachedTable** denied);

/// Rows of the transaction that were left out for the subscription.
Status decode_filtered(const wire::RecordView& record, const TableCache& tables,
                       std::uint64_t& rows);

/// A row that could not be judged, and why.
struct UnjudgedRow {
    std::string_view error, key;
};
Status decode_unjudged(const wire::RecordView& record, UnjudgedRow& out);

/// Of one schema change. The texts are the record's.
struct DdlRecord {
    fanout_ddl ddl{};
    bool wanted = false;      // by the subscription
    bool first_rows = false;  // of a rewrite: they are new to everybody
};
Status decode_ddl(const wire::RecordView& record, const TableCache& tables, DdlRecord& out);

/// The texts are the record's.
Status decode_sequence(const wire::RecordView& record, std::uint32_t& subscription,
                       fanout_sequence& out);

/// A record that stands alone, as it was kept.
Status open_kept_record(std::span<const std::uint8_t> bytes, wire::RecordView& out);
/// A relation record of which only the body was kept.
wire::RecordView relation_record(std::span<const std::uint8_t> body, std::uint32_t epoch,
                                 std::uint8_t flags);

Status decode_message(const wire::RecordView& record, fanout_change& out);

}  // namespace fanout::lane
