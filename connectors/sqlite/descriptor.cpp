// What the host learns about this connector before it makes one.
#include "sqlite/sqlite_connector.hpp"

namespace {

constexpr fanout_option_spec kOptions[] = {
    {.name = "path",
     .type = FANOUT_OPTION_STRING,
     .default_text = nullptr,
     .help = "Absolute path of the database file; it is made if missing, its directory is not.",
     .choices = nullptr,
     .flags = FANOUT_OPTION_REQUIRED},
    {.name = "busy_timeout_ms",
     .type = FANOUT_OPTION_INTEGER,
     .default_text = "5000",
     .help = "How long to wait for another writer of the file before backing off, milliseconds.",
     .choices = nullptr,
     .flags = 0},
    {.name = "missing_rows",
     .type = FANOUT_OPTION_ENUM,
     .default_text = "error",
     .help = "What to do with an update or delete of a row the target does not have.",
     .choices = "error|skip",
     .flags = 0},
    fanout::kit::kUnrepresentableOption,
};

constexpr fanout::connector::Descriptor kDescriptor = {
    .name = "sqlite",
    .version = "1.0.0",
    .summary = "Mirrors tables into a SQLite database, exactly once",
    .capabilities =
        FANOUT_CAP_TARGET_CURSOR | FANOUT_CAP_CREATE_TABLES | FANOUT_CAP_NOTES | FANOUT_CAP_DDL,
    .options = kOptions,
};

}  // namespace

FANOUT_EXPORT_CONNECTOR(fanout::sqlite_target::SqliteConnector, kDescriptor)
