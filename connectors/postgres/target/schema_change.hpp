// Makes a schema change of the source at the target: DDL inside the transaction that carries it.
//
// Lane's thread. What is done already is passed over, so that a table that was made late, or by
// hand, is no trouble. Never CASCADE: what somebody else hung on a table is theirs.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "postgres/link/session.hpp"
#include "postgres/target/create_tables.hpp"

namespace fanout::postgres {

class SchemaChanger {
  public:
    explicit SchemaChanger(Session& session) : session_(session) {}

    void reset(bool create_tables, MissingTypes missing_types);
    /// In an open transaction. Throws FANOUT_REJECT naming the statement, or FANOUT_RETRY.
    void apply(const fanout_ddl& ddl, Position at);
    /// Forward only; at once, whatever becomes of the transaction.
    void set_sequence(const fanout_sequence& sequence);
    /// Rows have come, or the transaction has ended.
    void forget_emptied() { emptied_.clear(); }

  private:
    void dispatch(const fanout_ddl& ddl);
    void create(const fanout_ddl& ddl);
    void rename_table(const fanout_ddl& ddl);
    void add_column(const fanout_ddl& ddl);
    void rename_column(const fanout_ddl& ddl);
    void alter_type(const fanout_ddl& ddl);
    void alter_nullable(const fanout_ddl& ddl);
    void alter_key(const fanout_ddl& ddl);
    void rewrite(const fanout_ddl& ddl);
    template <typename Change>
    void make_or_leave(Change change);
    void create_index(const fanout_ddl& ddl);
    void drop_index(const fanout_ddl& ddl);
    void rename_index(const fanout_ddl& ddl);
    void comment(const fanout_ddl& ddl);
    std::string find_index(const fanout_ddl& ddl, bool in_constraints);
    bool has_table(fanout_text schema, fanout_text name);
    bool has_column(const fanout_ddl& ddl, fanout_text column);
    void run(const std::string& sql);

    Session& session_;
    bool create_tables_ = false;
    MissingTypes missing_types_ = MissingTypes::error;
    std::set<std::uint32_t> emptied_;  // their rows come anew in this transaction
};

}  // namespace fanout::postgres
