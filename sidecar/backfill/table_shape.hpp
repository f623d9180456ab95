// A table as it is now, from the source's catalog, in the form in which the stream would announce
// it; and how its rows are read.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"
#include "fanout/connector/abi.h"
#include "sidecar/backfill/key_order.hpp"
#include "sidecar/source/source_connection.hpp"

namespace fanout::backfill {

/// Never moves: the table's texts point into it.
struct TableShape {
    std::string schema, name;
    std::string quoted;   // "schema"."name"
    std::string rows_of;  // in FROM: without the rows of children, with those of partitions
    std::vector<std::string> texts;
    std::vector<fanout_column> columns;
    fanout_table table{};
    /// What COPY reads: the columns, large values as NULL, and if there may be large ones
    /// (`leaves_out`) one more, null for a row that has none: "table ctid column column …".
    std::string select_list;
    bool leaves_out = false;
    /// As that, and leaves out whatever an output function shows, which may fail.
    std::string careful_list;
    bool careful_leaves_out = false;
    std::vector<std::string> whole;  // by column: what fanout._pieces() makes a left out value of
    std::optional<KeyShape> key;     // nothing: no ranges can be made by it
    bool keyed = false;              // its rows have a key, of whatever order
    bool readable = true;            // by the subscription's owner
    bool reader_may = true;          // by the session's own role
    double rows_estimate = -1, bytes_estimate = -1;
    /// Another one after each change of the table's shape, never the same again: it tells also what
    /// was changed and changed back. Of what the subscription has of the columns, too.
    std::string stamp;
    /// As read_names() told it, not later than anything above. A part of the stamp.
    std::string names;
    std::string of_choice;   // as text: which columns and masks it was read for
    bool has_toast = false;  // enough for a large value

    TableShape() = default;
    TableShape(const TableShape&) = delete;
    TableShape& operator=(const TableShape&) = delete;

    /// Same columns, types, key and name.
    bool same_shape(const fanout_table& other) const;
};

/// What a subscription has of a table's columns.
struct ColumnChoice {
    const std::vector<std::string>& columns;          // empty: all
    const std::map<std::string, std::string>& masks;  // by column
};

/// What it takes on disk is had by a lock of the table only. INVARIANT: not asked by whoever has a
/// lock of it in another session: between the two somebody may wait who wants it for himself.
enum class SizeToo : std::uint8_t { yes, no };

/// Another one after each renaming of what a statement about the table names besides it: its
/// schema, the types of its columns, theirs. No lock of the table keeps those out, and a name may
/// be given to another. Also another while the name is not the table's for whoever asks now,
/// whatever the snapshot of the session's transaction sees.
Result<std::string> read_names(source::SourceConnection& session, Oid32 oid);

/// Whether read_shape() would bring the same. Much cheaper: each chunk asks.
Result<bool> is_still(source::SourceConnection& session, const TableShape& shape,
                      const std::string& owner, const ColumnChoice& choice);

/// Null if there is no such table any more.
Result<std::shared_ptr<TableShape>> read_shape(source::SourceConnection& session, Oid32 oid,
                                               const std::string& owner, const ColumnChoice& choice,
                                               SizeToo size);

}  // namespace fanout::backfill
