// Makes a schema change of the source in the SQLite file, inside the transaction that carries it.
//
// Lane's thread. What is done already is passed over. What SQLite's ALTER TABLE cannot do is done
// by making the table anew with the rows it has, its indexes and triggers.
#pragma once

#include "fanout/connector/abi.h"
#include "sqlite/database.hpp"

namespace fanout::sqlite_target {

class SchemaChanger {
  public:
    explicit SchemaChanger(Database& database) : database_(database) {}

    /// No statement of the table may be in use. Throws FANOUT_REJECT naming the source's statement.
    void apply(const fanout_ddl& ddl, bool create_tables);

  private:
    void dispatch(const fanout_ddl& ddl, bool create_tables);
    void rename_table(const fanout_ddl& ddl);
    void add_column(const fanout_ddl& ddl);
    void drop_column(const fanout_ddl& ddl);
    void rename_column(const fanout_ddl& ddl);
    void alter_type(const fanout_ddl& ddl);
    void make_anew(const fanout_ddl& ddl, std::string_view without_column);

    Database& database_;
};

}  // namespace fanout::sqlite_target
