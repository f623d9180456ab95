// Row, truncate and message records → fanout_change, without copying a value: the change points
// into the record's bytes, its value tables stand in the arena. No state; lane thread.
#pragma once

#include <string_view>

#include "fanout/base/status.hpp"
#include "fanout/connector/abi.h"
#include "fanout/wire/record_reader.hpp"
#include "sidecar/lane/arena.hpp"
#include "sidecar/lane/table_cache.hpp"

namespace fanout::lane {

/// The OID a row record is about; 0 if the record is too short to say.
Oid32 row_relation(const wire::RecordView& record);

/// insert, update or remove of `table`.
Status decode_row(const wire::RecordView& record, const CachedTable& table, Arena& arena,
                  fanout_change& out);

/// Truncate of those of its tables that the subscription wants; table_count 0 if none. A table of
/// which no relation record came is nobody's. `denied` is set if its owner may not read one.
Status decode_truncate(const wire::RecordView& record, const TableCache& tables, Arena& arena,
                       fanout_change& out, const CachedTable** denied);

Status decode_message(const wire::RecordView& record, fanout_change& out);

}  // namespace fanout::lane
