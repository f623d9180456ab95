// What one reader reads next, decided under the copier's mutex and then its own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/backfill/table_copy.hpp"

namespace fanout::backfill {

struct ChunkJob {
    Oid32 table = 0;
    std::uint64_t id = 0;  // of its ranges and its window; 0: look at the table only
    std::string schema, name, predicate, filter;
    std::vector<std::string> columns;
    std::map<std::string, std::string> masks;
    CopyMode mode = CopyMode::unknown;
    bool indexes = false;              // look at those only
    std::uint64_t schema_changes = 0;  // that the lane had met before the look
    std::shared_ptr<const TableShape> shape;
    Bound lower, upper;
    std::vector<std::shared_ptr<const KeyValues>> keys;  // if any: these alone, not lower to upper
    std::uint64_t rows = 0;                              // about as many
    std::optional<Blocks> blocks;                        // these alone
    std::string snapshot;  // not empty: another reader's, to be read with
    bool careful = false;  // a row of it may be one that the source cannot show

    /// It may end before its range does. Not of single keys whose order is not known: then nobody
    /// could say which of them were read.
    bool may_be_cut() const {
        return mode == CopyMode::ordered && (keys.empty() || !shape->key->server_ordered());
    }
    /// Its rows may come without some of their values.
    bool leaves_out() const { return careful ? shape->careful_leaves_out : shape->leaves_out; }
};

}  // namespace fanout::backfill
