// The postgres connector: rows and cursor in one target transaction, exactly once.
//
// Lane's thread; interrupt() from any. Owns one connection between open and close, and nothing that
// outlives it but the options.
#pragma once

#include <string>

#include "fanout/connector/connector.hpp"
#include "postgres/apply/applier.hpp"
#include "postgres/link/pipeline.hpp"
#include "postgres/link/session.hpp"
#include "postgres/target/cursor_table.hpp"

namespace fanout::postgres {

class PostgresConnector final : public connector::Connector {
  public:
    PostgresConnector(const connector::Options& options, const fanout_host& host);

    fanout_cursor open(const fanout_session& owner) override;
    void write(const fanout_batch& batch) override;
    void flush(const fanout_cursor& cursor) override;
    fanout_progress settle(fanout_settle until) override;
    fanout_progress progress() const noexcept override { return applier_.progress(); }
    void close() noexcept override;
    void interrupt() noexcept override;
    void test() override;
    void put_note(const std::string& name, const std::optional<std::string>& text) override;
    connector::Notes read_notes() override;
    void prepare_table(const fanout_table& table, bool must_be_empty) override;
    void create_index(const fanout_table& table, const fanout_index& index,
                      bool own_tables_only) override;

  private:
    void connect(const std::string& application_name);
    bool go_ahead_of_commits();

    const std::string dsn_;
    const bool replica_role_;
    const bool skip_missing_rows_;
    const MissingTypes missing_types_;
    const fanout_host host_;
    Interrupt interrupt_;
    Session session_;
    Pipeline pipeline_;
    CursorTable cursor_table_;
    Applier applier_;
};

}  // namespace fanout::postgres
