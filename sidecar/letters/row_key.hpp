// Which row a change is about: hashes of the replica identity's values, before and after. With
// them it can be told later whether another change was about the same row.
//
// Never too sure: where it cannot be told, two changes count as being about one row. Hashes are
// kept in files. No state.
#pragma once

#include <cstdint>
#include <vector>

#include "fanout/connector/abi.h"

namespace fanout::letters {

struct RowKey {
    std::uint64_t shape = 0;          // of the columns the key is made of
    std::vector<std::uint64_t> rows;  // the row before, the row after; none without a key
    bool any = false;                 // may be any row
};

/// Of an insert, update, delete or a row that was copied.
RowKey row_key(const fanout_change& change);

bool may_be_one_row(const RowKey& one, const RowKey& other);

/// Of all values of a row that was copied.
std::uint64_t row_hash(const fanout_change& change);

}  // namespace fanout::letters
