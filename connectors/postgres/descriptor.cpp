// What the host knows of this connector before it makes one.
#include "postgres/postgres_connector.hpp"

namespace {

constexpr fanout_option_spec kOptions[] = {
    {"dsn", FANOUT_OPTION_STRING, nullptr,
     "Connection string of the target, as libpq reads it: host, dbname, user, sslmode and all "
     "else.",
     nullptr, FANOUT_OPTION_REQUIRED},
    {"session_replication_role", FANOUT_OPTION_ENUM, "origin",
     "With replica, the target's triggers and foreign keys do not fire for what is applied; needs "
     "the right to set it.",
     "origin|replica", 0},
    {"missing_rows", FANOUT_OPTION_ENUM, "error",
     "What to do with an update or delete of a row the target does not have.", "error|skip", 0},
    {"missing_types", FANOUT_OPTION_ENUM, "error",
     "With create_tables: whether a type that the target lacks stops the subscription or becomes "
     "text.",
     "error|text", 0},
};

constexpr fanout::connector::Descriptor kDescriptor = {
    .name = "postgres",
    .version = "1.0.0",
    .summary = "PostgreSQL tables: exactly once, source transactions kept whole",
    .capabilities = FANOUT_CAP_TARGET_CURSOR | FANOUT_CAP_CREATE_TABLES | FANOUT_CAP_FLUSH_AHEAD |
                    FANOUT_CAP_NOTES | FANOUT_CAP_DDL | FANOUT_CAP_SEQUENCES | FANOUT_CAP_INDEXES,
    .options = kOptions,
};

}  // namespace

FANOUT_EXPORT_CONNECTOR(fanout::postgres::PostgresConnector, kDescriptor)
