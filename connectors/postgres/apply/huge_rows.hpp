// A row that is too large for a statement's parameters: libpq would hold and copy it as a whole,
// and the server takes no message of a gigabyte. Its parameters go into a temporary table by COPY,
// in pieces from where they are, and the statement takes them from there.
//
// Lane's thread, in the transaction that is open, outside pipeline mode.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "postgres/apply/statement_parameters.hpp"
#include "postgres/link/pipeline.hpp"
#include "postgres/link/session.hpp"

namespace fanout::postgres {

class HugeRows {
  public:
    struct Sent {
        std::optional<SqlError> error;
        std::int64_t rows = 0;
    };

    explicit HugeRows(Session& session) : session_(session) {}

    /// Forgets the temporary tables: for a new connection.
    void reset() { tables_.clear(); }
    /// `statement` with the parameters of one row. Throws if the connection is lost, or if there
    /// is no temporary table to be had.
    Sent run(const Statement& statement, const StatementParameters& parameters);

  private:
    Sent execute(const std::string& sql);
    Sent copy(const std::string& sql, const StatementParameters& parameters);
    void put(std::string_view bytes);
    std::string prepare_table(const std::vector<Oid>& types);

    struct Table {
        std::string name, columns;
    };
    Session& session_;
    std::map<std::vector<Oid>, Table> tables_;  // by the types of their columns
};

/// `sql` with `$1` … replaced by what gives the columns p1 … of the only row of `table`. Not within
/// quotes.
std::string with_parameters_from(const std::string& sql, const std::string& table);

}  // namespace fanout::postgres
