// Values of one change → parameters of a statement. Lane's thread; owns a scratch text only.
//
// What each type becomes stands in type_table.hpp; a value that has no place there follows the
// option "unrepresentable".
#pragma once

#include <string>

#include "_kit/unrepresentable.hpp"
#include "fanout/connector/abi.h"
#include "sqlite/database.hpp"
#include "sqlite/sql_text.hpp"

namespace fanout::sqlite_target {

class RowBinder {
  public:
    explicit RowBinder(kit::Unrepresentable policy) : policy_(policy) {}

    void bind(Statement& statement, int at, Storage storage, const fanout_column& column,
              const fanout_value& value);

  private:
    void bind_float(Statement& statement, int at, const fanout_column& column, double value) const;
    void bind_text(Statement& statement, int at, const fanout_column& column,
                   const fanout_value& value);

    const kit::Unrepresentable policy_;
    std::string scratch_;
};

/// "(id, day) = (5, 2026-11-22)", shortened, for messages. `image` may be null.
std::string describe_row(const fanout_table& table, const RowFinder& finder,
                         const fanout_value* image);

}  // namespace fanout::sqlite_target
