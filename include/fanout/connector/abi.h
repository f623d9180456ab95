/* What a connector sees of fanoutd, and all it sees. C, so that a connector can be shipped as a
 * binary and written in any language. docs/connector-contract.md says what each call must do;
 * connector.hpp is the C++ face of the same.
 *
 * A connector is a shared object that exports
 *
 *     const fanout_connector *fanout_connector_entry(void);
 *
 * Threads: one instance is used by one thread at a time (its lane), except `interrupt`, which any
 * thread may call at any time between create and destroy.
 * Ownership: everything passed in is valid for the duration of the call only, tables included;
 * a connector copies what it keeps. With FANOUT_CAP_FLUSH_AHEAD what `write` was given stays valid
 * until `settle` says that the write is done with. Text is UTF-8 unless the source database says
 * otherwise, and is never terminated: use the size.
 * Raise FANOUT_CONNECTOR_ABI when a struct or a meaning below changes. */
#ifndef FANOUT_CONNECTOR_ABI_H
#define FANOUT_CONNECTOR_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FANOUT_CONNECTOR_ABI 5u

typedef struct fanout_text {
    const char* data;
    size_t size;
} fanout_text;

/* How an operation ended. The connector classifies; the host decides what follows. */
typedef enum fanout_outcome {
    FANOUT_OK = 0,
    FANOUT_RETRY = 1,  /* may go away by itself: reopen and repeat with back-off */
    FANOUT_REJECT = 2, /* this change cannot be delivered, ever: error.commit_lsn/index name it */
    FANOUT_FATAL = 3,  /* a person has to act; the lane stops */
    FANOUT_FENCED = 4  /* a newer fanoutd owns the target: stop at once, touch nothing */
} fanout_outcome;

typedef struct fanout_error {
    char message[1024];         /* what failed and where, terminated */
    char hint[512];             /* what to do, terminated; may be empty */
    uint64_t commit_lsn, index; /* the change at fault, 0 if unknown */
} fanout_error;

/* ---- tables and values ------------------------------------------------------------------- */

typedef enum fanout_value_state {
    FANOUT_NULL = 0,
    FANOUT_UNCHANGED = 1, /* TOASTed and not in the WAL: keep what the target has */
    FANOUT_PRESENT = 2,
    FANOUT_ABSENT = 3 /* not part of this image (key images only) */
} fanout_value_state;

typedef enum fanout_value_class {
    FANOUT_FIXED = 1,    /* PostgreSQL's stored form, `width` bytes, little-endian, unaligned */
    FANOUT_BYTES = 2,    /* the payload of text, varchar, bpchar, bytea, json, xml, name */
    FANOUT_NUMERIC = 3,  /* numeric's stored form, see connectors/_kit/numeric.hpp */
    FANOUT_TEXT_FORM = 4 /* output function's text */
} fanout_value_class;

typedef struct fanout_value {
    const uint8_t* data;
    uint32_t size;
    uint8_t state; /* fanout_value_state */
} fanout_value;

#define FANOUT_COLUMN_KEY 0x01u /* part of the replica identity: rows are found by it */
#define FANOUT_COLUMN_NOT_NULL 0x02u
#define FANOUT_COLUMN_GENERATED 0x04u
#define FANOUT_COLUMN_IDENTITY 0x08u
#define FANOUT_COLUMN_PRIMARY_KEY 0x10u

typedef struct fanout_column {
    fanout_text name;
    fanout_text type_name; /* as format_type() shows it, schema-qualified unless in pg_catalog */
    uint32_t type_oid;     /* of a domain: its base type, which is how the values are made */
    int32_t typmod;
    int16_t attnum;
    uint16_t width;      /* of FANOUT_FIXED */
    uint8_t value_class; /* fanout_value_class */
    uint8_t flags;       /* FANOUT_COLUMN_* */
} fanout_column;

typedef struct fanout_table {
    uint32_t oid;
    uint64_t version; /* differs whenever the shape may differ; unique within one open */
    fanout_text schema, name;
    const fanout_column* columns;
    size_t column_count;
    char identity; /* 'd' default, 'f' full, 'i' index, 'n' nothing */
} fanout_table;

/* An index of a table, as PostgreSQL describes it. */
typedef struct fanout_index {
    fanout_text name;
    uint8_t unique;
    fanout_text definition; /* what stands behind USING: `btree (a, lower(b)) WHERE c > 0` */
} fanout_index;

/* ---- changes ------------------------------------------------------------------------------ */

typedef enum fanout_op {
    FANOUT_INSERT = 1,
    FANOUT_UPDATE = 2,
    FANOUT_DELETE = 3,
    FANOUT_TRUNCATE = 4,
    FANOUT_MESSAGE = 5,
    FANOUT_READ = 6, /* a row that was there already, copied; like an insert, `after` is complete */
    FANOUT_DDL = 7,  /* a schema change, `ddl`; only with FANOUT_CAP_DDL */
    FANOUT_SEQUENCE = 8 /* where a sequence stands, `sequence`; only with FANOUT_CAP_SEQUENCES */
} fanout_op;

typedef enum fanout_ddl_kind {
    FANOUT_DDL_CREATE_TABLE = 1,
    FANOUT_DDL_DROP_TABLE = 2,
    FANOUT_DDL_RENAME_TABLE = 3, /* schema, name or both are others now */
    FANOUT_DDL_ADD_COLUMN = 4,
    FANOUT_DDL_DROP_COLUMN = 5,
    FANOUT_DDL_RENAME_COLUMN = 6,
    FANOUT_DDL_ALTER_TYPE = 7,
    FANOUT_DDL_ALTER_NULLABLE = 8,
    FANOUT_DDL_ALTER_DEFAULT = 9,
    FANOUT_DDL_ALTER_KEY = 10, /* primary key */
    FANOUT_DDL_REWRITE = 11,   /* forget the table's rows: all of them follow, as inserts */
    FANOUT_DDL_ATTACH_PARTITION = 12,
    FANOUT_DDL_DETACH_PARTITION = 13,
    FANOUT_DDL_CREATE_INDEX = 14,
    FANOUT_DDL_DROP_INDEX = 15,
    FANOUT_DDL_COMMENT = 16,
    FANOUT_DDL_OTHER = 17 /* `after` says what */
} fanout_ddl_kind;

/* One change of one table. A statement that changes several things comes as several of them, each
 * complete. Before and after are JSON objects or empty: docs/record-format.md. */
typedef struct fanout_ddl {
    uint8_t kind;              /* fanout_ddl_kind */
    uint32_t oid;              /* of the table, whatever it is called */
    const fanout_table* table; /* as it is after it; NULL if it is gone, or nobody's any more */
    fanout_text schema, name;  /* before it, or now for a new table */
    fanout_text new_schema, new_name; /* after it; empty if the table is gone */
    fanout_text column, new_column;   /* before and after; empty if it is about no column */
    fanout_text before, after;
    /* Add column: the value, as text, of every row that was there already; data NULL: NULL. */
    fanout_text missing;
    fanout_text statement; /* as it was sent, for people; may be cut */
} fanout_ddl;

/* A sequence of the source. The target's stands there or further on afterwards. */
typedef struct fanout_sequence {
    fanout_text schema, name;
    int64_t last_value, increment;
    uint8_t is_called;
} fanout_sequence;

typedef enum fanout_before_kind {
    FANOUT_BEFORE_NONE = 0, /* update: the key did not change; find the row by `after`'s key */
    FANOUT_BEFORE_KEY = 1,  /* `before` has the key columns, the others are ABSENT */
    FANOUT_BEFORE_FULL = 2
} fanout_before_kind;

#define FANOUT_TRUNCATE_CASCADE 0x01u
#define FANOUT_TRUNCATE_RESTART_IDENTITY 0x02u
/* While a table is copied without regard to the order of its keys. Insert and read: the row may be
 * there already and is replaced. Update and delete: it may not be there yet, then nothing happens.
 */
#define FANOUT_CHANGE_LENIENT 0x10u

typedef struct fanout_change {
    uint8_t op;                        /* fanout_op */
    uint8_t before_kind;               /* fanout_before_kind */
    uint8_t flags;                     /* FANOUT_TRUNCATE_*, FANOUT_CHANGE_* */
    uint64_t index;                    /* ordinal in its transaction */
    const fanout_table* table;         /* insert, update, delete, read */
    const fanout_value* before;        /* column_count values, or NULL */
    const fanout_value* after;         /* column_count values, or NULL */
    const fanout_table* const* tables; /* truncate */
    size_t table_count;
    fanout_text prefix, content; /* message */
    const fanout_ddl* ddl;
    const fanout_sequence* sequence;
} fanout_change;

/* A source transaction, or a part of one: `begins` is set on its first part, `ends` on its last.
 * A message outside a transaction is a transaction of its own with xid 0. */
typedef struct fanout_transaction {
    uint64_t commit_lsn; /* start of the commit record */
    uint64_t end_lsn;    /* its end */
    int64_t commit_time; /* microseconds since 2000-01-01 UTC */
    uint32_t xid;
    uint8_t begins, ends;
    const fanout_change* changes;
    size_t change_count;
} fanout_transaction;

typedef struct fanout_batch {
    const fanout_transaction* transactions; /* in commit order */
    size_t transaction_count;
    size_t change_count; /* in all of them */
} fanout_batch;

/* Where a target stands: every transaction up to and including the one at commit_lsn is in it.
 * All zero: nothing yet. */
typedef struct fanout_cursor {
    uint64_t commit_lsn;
    uint64_t end_lsn;
    int64_t commit_time;
} fanout_cursor;

/* How far a connector with FANOUT_CAP_FLUSH_AHEAD is. */
typedef struct fanout_progress {
    uint64_t writes;  /* of the calls of write since open, in order: so many are done with */
    uint64_t flushes; /* of the calls of flush since open, in order: so many are durable */
} fanout_progress;

/* What settle waits for. */
typedef enum fanout_settle {
    FANOUT_SETTLE_NOTHING = 0, /* moves on what can be moved on without waiting */
    FANOUT_SETTLE_ONE = 1,     /* one more write is done with, if one is not */
    FANOUT_SETTLE_WRITTEN = 2, /* all writes are done with; what was flushed can be read */
    FANOUT_SETTLE_DURABLE = 3  /* all that was flushed is durable */
} fanout_settle;

/* ---- options ------------------------------------------------------------------------------- */

typedef enum fanout_option_type {
    FANOUT_OPTION_STRING = 1,
    FANOUT_OPTION_INTEGER = 2,
    FANOUT_OPTION_BOOLEAN = 3,
    FANOUT_OPTION_ENUM = 4, /* one of `choices`, separated by '|' */
    FANOUT_OPTION_SIZE = 5  /* bytes, suffixes kB, MB, GB */
} fanout_option_type;

#define FANOUT_OPTION_REQUIRED 0x01u
#define FANOUT_OPTION_SECRET 0x02u /* an inline value is refused; only ${env:…} and friends */

typedef struct fanout_option_spec {
    const char* name;
    int type;                 /* fanout_option_type */
    const char* default_text; /* NULL: none */
    const char* help;         /* one sentence */
    const char* choices;      /* FANOUT_OPTION_ENUM */
    unsigned flags;
} fanout_option_spec;

/* A value as the user gave it, checked against its spec, references resolved. Options with a
 * default are always present. Integers and sizes are decimal digits, booleans true or false. */
typedef struct fanout_option {
    const char* name;
    const char* value;
} fanout_option;

/* ---- the host's side ------------------------------------------------------------------------ */

typedef enum fanout_log_level {
    FANOUT_LOG_DEBUG = 1,
    FANOUT_LOG_INFO = 2,
    FANOUT_LOG_WARNING = 3,
    FANOUT_LOG_ERROR = 4
} fanout_log_level;

typedef struct fanout_host {
    void* context;
    void (*log)(void* context, int level, const char* message);
    /* Non-zero once the lane should stop: return FANOUT_RETRY soon. */
    int (*stopping)(void* context);
} fanout_host;

/* Who writes, for the target's cursor and its fence. */
typedef struct fanout_session {
    const char* subscription;    /* name; the cursor's key together with stream_identity */
    const char* stream_identity; /* stable while the slot lives; a new slot has a new one */
    uint64_t epoch;              /* fencing epoch: a target refuses writers with an older one */
    int create_tables;           /* make missing tables */
} fanout_session;

/* ---- the connector ----------------------------------------------------------------------------
 */

/* It keeps its cursor in the target: exactly once. Without it the host keeps one beside it. */
#define FANOUT_CAP_TARGET_CURSOR 0x01u
/* It wants messages (pg_logical_emit_message). */
#define FANOUT_CAP_MESSAGES 0x02u
/* It honours fanout_session.create_tables. */
#define FANOUT_CAP_CREATE_TABLES 0x04u
/* Its flush only begins; `settle` tells what has become durable. */
#define FANOUT_CAP_FLUSH_AHEAD 0x08u
/* It has put_note and read_notes, as durable as its cursor. Without it the host keeps the notes
 * beside its cursor. Only for connectors with FANOUT_CAP_TARGET_CURSOR. */
#define FANOUT_CAP_NOTES 0x10u
/* It applies schema changes. One comes in a write of its own, as a part of its transaction. */
#define FANOUT_CAP_DDL 0x20u
/* It takes FANOUT_SEQUENCE. */
#define FANOUT_CAP_SEQUENCES 0x40u
/* It has create_index. */
#define FANOUT_CAP_INDEXES 0x80u

typedef void (*fanout_note_reader)(void* context, const char* name, const char* text);

typedef struct fanout_connector {
    uint32_t abi; /* FANOUT_CONNECTOR_ABI */
    const char* name;
    const char* version;
    const char* summary; /* one line */
    uint32_t capabilities;
    const fanout_option_spec* options;
    size_t option_count;

    /* Makes an instance; connects to nothing. Options are complete and checked by type. */
    fanout_outcome (*create)(const fanout_option* options, size_t count, const fanout_host* host,
                             void** self, fanout_error* error);
    void (*destroy)(void* self);

    /* Connects, takes the fence, and reads the cursor. Called again after close. */
    fanout_outcome (*open)(void* self, const fanout_session* session, fanout_cursor* cursor,
                           fanout_error* error);
    /* Takes changes in; durable only after flush. Batches of one transaction may be many. */
    fanout_outcome (*write)(void* self, const fanout_batch* batch, fanout_error* error);
    /* Makes everything written durable together with the cursor, atomically where the target
     * can. Called only when no transaction is half written. With FANOUT_CAP_FLUSH_AHEAD it may
     * return as soon as that has begun. */
    fanout_outcome (*flush)(void* self, const fanout_cursor* cursor, fanout_error* error);
    /* Drops what was written and not flushed, and the connection. Never fails. */
    void (*close)(void* self);
    /* From any thread: make a blocking call of this instance return FANOUT_RETRY soon. */
    void (*interrupt)(void* self);
    /* Can the target be reached with these options? Leaves no trace in it. */
    fanout_outcome (*test)(void* self, fanout_error* error);

    /* The progress of copying tables. A note is a small text under a name; it becomes durable with
     * the next flush, in the same atomic step. `text` NULL: the note goes. With FANOUT_CAP_NOTES.
     */
    fanout_outcome (*put_note)(void* self, const char* name, const char* text, fanout_error* error);
    /* After open: every note that is kept under the session's subscription and stream. */
    fanout_outcome (*read_notes)(void* self, fanout_note_reader reader, void* context,
                                 fanout_error* error);
    /* Before the first copied row of a table, nothing being unflushed: makes the table if it is
     * missing and may be made. `must_be_empty`: FANOUT_FATAL if it has rows. May be NULL. */
    fanout_outcome (*prepare_table)(void* self, const fanout_table* table, int must_be_empty,
                                    fanout_error* error);

    /* With FANOUT_CAP_FLUSH_AHEAD, else NULL. Waits for what `until` (fanout_settle) says and tells
     * how far the target is. The trouble of an earlier write or flush may come out here, or in any
     * later call. */
    fanout_outcome (*settle)(void* self, int until, fanout_progress* progress, fanout_error* error);
    /* With it, too. How far the target is, as far as that is known: no wait, no trouble. Until
     * `close`, also after a call that failed; a change that is refused makes everything before it
     * durable first. */
    void (*progress)(void* self, fanout_progress* progress);

    /* With FANOUT_CAP_INDEXES, else NULL. After the last copied row of a table, nothing being
     * unflushed: makes an index unless the table has one of the name. May take long; ends with
     * `interrupt`. `own_tables_only`: nothing happens to a table that it has not made itself.
     * FANOUT_REJECT and FANOUT_FATAL: it cannot be made, and the host goes on without it. */
    fanout_outcome (*create_index)(void* self, const fanout_table* table, const fanout_index* index,
                                   int own_tables_only, fanout_error* error);
} fanout_connector;

typedef const fanout_connector* (*fanout_connector_entry_fn)(void);
#define FANOUT_CONNECTOR_ENTRY "fanout_connector_entry"

#ifdef __cplusplus
}
#endif
#endif
