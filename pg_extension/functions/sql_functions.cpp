// The small functions of the control surface that only C can do.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/subscription_config.hpp"
#include "pg_extension/tables/table_pattern.hpp"

FANOUT_SQL_FUNCTION(fanout_request_report) {
    const char* prefix = fanout::plugin::kWaitPrefix;
    if (RecoveryInProgress()) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("a standby cannot ask for a report"), errhint("Ask the primary.")));
    }
    PG_RETURN_LSN(fanout::server::emit_flushed_message(prefix, "", 0));
}

// pg_current_wal_insert_lsn() may point behind the header of a page that has no record yet, a place
// that the end of no record ever equals.
FANOUT_SQL_FUNCTION(fanout_normalize_lsn) {
    const XLogRecPtr lsn = PG_GETARG_LSN(0);
    const uint64 in_segment = XLogSegmentOffset(lsn, wal_segment_size);
    if (in_segment == SizeOfXLogLongPHD) PG_RETURN_LSN(lsn - SizeOfXLogLongPHD);
    if (in_segment > XLOG_BLCKSZ && lsn % XLOG_BLCKSZ == SizeOfXLogShortPHD) {
        PG_RETURN_LSN(lsn - SizeOfXLogShortPHD);
    }
    PG_RETURN_LSN(lsn);
}

FANOUT_SQL_FUNCTION(fanout_pattern_matches) {
    using namespace fanout::plugin;
    TablePattern pattern;
    parse_table_pattern(text_to_cstring(PG_GETARG_TEXT_PP(0)), &pattern);
    PG_RETURN_BOOL(matches(pattern, text_to_cstring(PG_GETARG_TEXT_PP(1)),
                           text_to_cstring(PG_GETARG_TEXT_PP(2))));
}
