// Only the order of calls; the parts know how.
#include "postgres/postgres_connector.hpp"

namespace fanout::postgres {

PostgresConnector::PostgresConnector(const connector::Options& options, const fanout_host& host)
    : dsn_(options.text("dsn")),
      replica_role_(options.text("session_replication_role") == "replica"),
      skip_missing_rows_(options.text("missing_rows") == "skip"),
      missing_types_(options.text("missing_types") == "text" ? MissingTypes::text
                                                             : MissingTypes::error),
      host_(host),
      session_(host_, interrupt_),
      pipeline_(session_),
      applier_(session_, pipeline_, cursor_table_) {}

void PostgresConnector::connect(const std::string& application_name) {
    session_.connect(dsn_, application_name);
    pipeline_.reset();
    if (replica_role_)
        session_.execute("SET session_replication_role = replica",
                         "cannot set session_replication_role, as the target's options ask for");
}

fanout_cursor PostgresConnector::open(const fanout_session& owner) {
    connect(std::string("pg_fanout ") + owner.subscription);
    ApplyOptions options;
    options.create_tables = owner.create_tables != 0;
    options.skip_missing_rows = skip_missing_rows_;
    options.missing_types = missing_types_;
    const fanout_cursor cursor = cursor_table_.take_fence(session_, owner);
    options.commits_ahead = go_ahead_of_commits();
    applier_.reset(options, cursor);
    return cursor;
}

// Where only the target's own disk makes a commit durable, its WAL position tells when it is, and
// nobody has to wait for it. Standbys that have to confirm are waited for.
bool PostgresConnector::go_ahead_of_commits() {
    const ResultPtr set = session_.query(
        "SELECT set_config('synchronous_commit', 'off', false) WHERE "
        "current_setting('synchronous_commit') IN ('on', 'local') AND "
        "current_setting('synchronous_standby_names') = ''",
        {}, "cannot set synchronous_commit in the target");
    return PQntuples(set.get()) == 1;
}

void PostgresConnector::write(const fanout_batch& batch) {
    applier_.write(batch);
}

void PostgresConnector::flush(const fanout_cursor& cursor) {
    applier_.flush(cursor);
}

fanout_progress PostgresConnector::settle(fanout_settle until) {
    return applier_.settle(until);
}

void PostgresConnector::put_note(const std::string& name, const std::optional<std::string>& text) {
    applier_.put_note(name, text);
}

connector::Notes PostgresConnector::read_notes() {
    return cursor_table_.read_notes(session_);
}

void PostgresConnector::prepare_table(const fanout_table& table, bool must_be_empty) {
    applier_.prepare_table(table, must_be_empty);
}

void PostgresConnector::create_index(const fanout_table& table, const fanout_index& index,
                                     bool own_tables_only) {
    applier_.create_index(table, index, own_tables_only);
}

void PostgresConnector::close() noexcept {
    session_.close();
    interrupt_.clear();
}

void PostgresConnector::interrupt() noexcept {
    interrupt_.raise();
}

void PostgresConnector::test() {
    connect("pg_fanout test");
    session_.close();
}

}  // namespace fanout::postgres
