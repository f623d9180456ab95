// The relation records in force: the last one of every table, in the very bytes that came.
//
// Drain thread only. Written out as the preamble of each new segment, so that a lane can begin
// there. Grows with the number of tables, never with the number of records.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/wire/record_reader.hpp"

namespace fanout::journal {

class RelationTable {
  public:
    /// Takes a relation record, or the next piece of one (whose order was checked already).
    void learn(wire::Bytes record);

    void clear();

    /// All of them, one behind the other.
    std::vector<std::uint8_t> preamble() const;

  private:
    std::map<Oid32, std::vector<std::uint8_t>> in_force_;
    std::vector<std::uint8_t> arriving_;  // pieces of the one that is not complete yet
};

}  // namespace fanout::journal
