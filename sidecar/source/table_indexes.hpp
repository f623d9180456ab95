// The secondary indexes of a table, from the source's catalog, in a form in which another server
// can make them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "sidecar/source/source_connection.hpp"

namespace fanout::source {

struct IndexDefinition {
    std::string name;
    bool unique = false;
    std::string definition;  // what stands behind USING: method, columns and all else
    std::string statement;   // the whole of it, for people
};

struct TableIndexes {
    std::vector<IndexDefinition> indexes;
    std::string left_out;  // those that no target gets, each with the reason; for people
    Lsn read_at = 0;       // whatever made them what they are commits before it
};

/// All but the index that becomes the target's primary key. `columns`: those that the subscription
/// has of the table, empty for all; `masks`: by column. `read_at` is for the caller to set.
Result<TableIndexes> read_indexes(SourceConnection& session, Oid32 table,
                                  const std::vector<std::string>& columns,
                                  const std::map<std::string, std::string>& masks);

}  // namespace fanout::source
