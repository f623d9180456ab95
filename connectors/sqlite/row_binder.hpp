// Values of one change → parameters of a statement. Lane's thread; owns a scratch text only.
//
// Exact or nothing: what SQLite's own types cannot hold (NaN, numeric, timestamps) goes as text.
#pragma once

#include <string>

#include "fanout/connector/abi.h"
#include "sqlite/database.hpp"
#include "sqlite/sql_text.hpp"

namespace fanout::sqlite_target {

class RowBinder {
  public:
    void bind(Statement& statement, int at, Storage storage, const fanout_column& column,
              const fanout_value& value);

  private:
    std::string scratch_;
};

/// "(id, day) = (5, 2026-11-22)", shortened, for messages. `image` may be null.
std::string describe_row(const fanout_table& table, const RowFinder& finder,
                         const fanout_value* image);

}  // namespace fanout::sqlite_target
