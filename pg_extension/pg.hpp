// The only file that includes PostgreSQL's headers.
//
// They are C, so they stand in one extern "C" block, and they come in as system headers (see
// CMakeLists.txt) so that their warnings are not ours. Standard headers must follow this file.
//
// Code in this folder is "C with templates": the server leaves functions by longjmp, so no object
// with a destructor that matters may be alive across a call that can raise an error, and no C++
// exception exists here (-fno-exceptions). Memory comes from memory contexts.
#pragma once

extern "C" {
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_control.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "common/base64.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqsignal.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_func.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "regex/regex.h"
#include "replication/decode.h"
#include "replication/logical.h"
#include "replication/message.h"
#include "replication/origin.h"
#include "replication/output_plugin.h"
#include "replication/reorderbuffer.h"
#include "replication/slot.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/condition_variable.h"
#include "storage/dsm.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"
#include "utils/pidfile.h"
#include "utils/ps_status.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/rls.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
}

// An LSN as two numbers for "%X/%X"; the server's own macro is C only in some versions.
#undef LSN_FORMAT_ARGS
#define LSN_FORMAT_ARGS(lsn) \
    (static_cast<uint32>((lsn) >> 32)), (static_cast<uint32>((lsn)&0xFFFFFFFFU))

// PGDLLEXPORT is empty before 16 on Linux, where this folder is compiled with hidden visibility.
#define FANOUT_EXPORT extern "C" __attribute__((visibility("default")))
#define FANOUT_SQL_FUNCTION(name)                                                    \
    extern "C" {                                                                     \
    __attribute__((visibility("default"))) Datum name(PG_FUNCTION_ARGS);             \
    __attribute__((visibility("default"))) const Pg_finfo_record* pg_finfo_##name(); \
    const Pg_finfo_record* pg_finfo_##name() {                                       \
        static const Pg_finfo_record record = {1};                                   \
        return &record;                                                              \
    }                                                                                \
    }                                                                                \
    Datum name([[maybe_unused]] PG_FUNCTION_ARGS)
