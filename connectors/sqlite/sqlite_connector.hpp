// Mirrors tables into a SQLite file, exactly once: rows and cursor in the same transaction.
//
// Runs on its lane's thread, interrupt() on any. Owns the connection and, per source table, its
// prepared statements. Must never commit rows without the cursor that covers them.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "fanout/connector/connector.hpp"
#include "sqlite/cursor_table.hpp"
#include "sqlite/database.hpp"
#include "sqlite/note_table.hpp"
#include "sqlite/schema_change.hpp"
#include "sqlite/table_writer.hpp"

namespace fanout::sqlite_target {

class SqliteConnector : public connector::Connector {
  public:
    SqliteConnector(const connector::Options& options, const fanout_host& host);

    fanout_cursor open(const fanout_session& session) override;
    void write(const fanout_batch& batch) override;
    void flush(const fanout_cursor& cursor) override;
    void close() noexcept override;
    void interrupt() noexcept override;
    void test() override;
    void put_note(const std::string& name, const std::optional<std::string>& text) override;
    connector::Notes read_notes() override;
    void prepare_table(const fanout_table& table, bool must_be_empty) override;

  private:
    bool stop_asked() const;
    void begin();
    void apply(const fanout_change& change);
    TableWriter& writer_for(const fanout_table& table);
    void change_schema(const fanout_ddl& ddl);
    void claim_name(const fanout_table& table);

    fanout_host host_;
    std::string path_;
    std::chrono::milliseconds busy_timeout_;
    std::atomic<bool> interrupted_ = false;
    TableWriter::Policy policy_;
    bool begun_ = false;
    Database database_;
    CursorTable cursor_table_;
    NoteTable note_table_;
    SchemaChanger schema_{database_};
    std::map<std::uint32_t, std::unique_ptr<TableWriter>> writers_;  // by source table
    std::map<std::string, std::string> names_;  // folded target name → source table
};

}  // namespace fanout::sqlite_target
