// The small functions of the control surface that only C can do.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/functions/lsn_form.hpp"
#include "pg_extension/tables/subscription_config.hpp"
#include "pg_extension/tables/table_entry.hpp"

FANOUT_SQL_FUNCTION(fanout_request_report) {
    const char* prefix = fanout::plugin::kWaitPrefix;
    if (RecoveryInProgress()) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("a standby cannot ask for a report"), errhint("Ask the primary.")));
    }
    PG_RETURN_LSN(fanout::server::emit_flushed_message(prefix, "", 0));
}

FANOUT_SQL_FUNCTION(fanout_normalize_lsn) {
    PG_RETURN_LSN(fanout::lsn_of_page_start(PG_GETARG_LSN(0)));
}

FANOUT_SQL_FUNCTION(fanout_pattern_matches) {
    using namespace fanout::plugin;
    TableEntry entry;
    parse_table_entry(text_to_cstring(PG_GETARG_TEXT_PP(0)), &entry);
    PG_RETURN_BOOL(matches(entry.pattern, text_to_cstring(PG_GETARG_TEXT_PP(1)),
                           text_to_cstring(PG_GETARG_TEXT_PP(2))));
}
