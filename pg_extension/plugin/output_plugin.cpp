// The plugin's callbacks: is the table wanted, then the face that is shown.
//
// Two faces. In a decoding worker records go into the ring (ring_face). Everywhere else, for
// pg_logical_slot_get_changes and pg_recvlogical, changes become JSON lines (json_face), and only
// for superusers and members of fanout_admin: whoever reads a slot reads every table in it.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/plugin/ddl_event.hpp"
#include "pg_extension/plugin/json_face.hpp"
#include "pg_extension/plugin/pinned_settings.hpp"
#include "pg_extension/plugin/plugin_options.hpp"
#include "pg_extension/plugin/ring_face.hpp"
#include "pg_extension/tables/relation_cache.hpp"
#include "pg_extension/tables/subscription_config.hpp"
#include "pg_extension/values/utf8_text.hpp"

namespace fanout::plugin {

namespace {

struct PluginState {
    RelationCache* relations;
    TableFilter* filter;
    MemoryContext per_change;
    int nest_level;  // of the pinned settings
    RingFace ring;   // ring.output is nullptr with the text face
    JsonFace json;
    Rewrites rewrites;
};

PluginState* state_of(LogicalDecodingContext* context) {
    return static_cast<PluginState*>(context->output_plugin_private);
}

bool shows_ring(const PluginState* state) {
    return state->ring.output != nullptr;
}

void check_reader() {
    if (superuser()) return;
    const Oid admins = get_role_oid("fanout_admin", true);
    if (OidIsValid(admins) && has_privs_of_role(GetUserId(), admins)) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied for output plugin pg_fanout"),
                    errdetail("It shows the rows of every table, whoever owns them."),
                    errhint("Only superusers and members of fanout_admin may use it.")));
}

/// Who may, which options, which tables: all of it may look into the catalogs, and a walsender
/// starts the plugin outside a transaction.
void start_text_face(PluginState* state, LogicalDecodingContext* context) {
    const bool own_transaction = !IsTransactionState();
    if (own_transaction) StartTransactionCommand();
    check_reader();
    MemoryContext caller = MemoryContextSwitchTo(context->context);
    PluginOptions* options = &state->json.options;
    parse_plugin_options(context->output_plugin_options, options);
    // Every table that the option names, without a check of anybody's rights.
    state->filter = create_table_filter(context->context);
    put_subscription(state->filter, 0, {nullptr, false}, options->tables, options->table_count);
    state->json.context = context;
    MemoryContextSwitchTo(caller);
    if (own_transaction) CommitTransactionCommand();
}

void on_startup(LogicalDecodingContext* context, OutputPluginOptions* output, bool is_init) {
    auto* state =
        static_cast<PluginState*>(MemoryContextAllocZero(context->context, sizeof(PluginState)));
    context->output_plugin_private = state;
    server::decode_whole_transactions(context);
    state->per_change =
        AllocSetContextCreate(context->context, "pg_fanout change", ALLOCSET_DEFAULT_SIZES);
    state->ring.output = ring_output;
    if (shows_ring(state)) {
        output->output_type = OUTPUT_PLUGIN_BINARY_OUTPUT;
        output->receive_rewrites = true;
        state->filter = ring_output->filter;
    } else {
        output->output_type = OUTPUT_PLUGIN_TEXTUAL_OUTPUT;
        start_text_face(state, context);
        MemoryContextSwitchTo(context->context);
    }
    if (is_init) return;
    state->nest_level = pin_settings();
    state->rewrites.context = context->context;
    state->relations = create_relation_cache(context->context, state->filter, shows_ring(state));
}

void on_shutdown(LogicalDecodingContext* context) {
    if (state_of(context) != nullptr) unpin_settings(state_of(context)->nest_level);
}

void on_begin(LogicalDecodingContext* context, ReorderBufferTXN* txn) {
    PluginState* state = state_of(context);
    forget_rewrites(&state->rewrites, state->relations);
    if (shows_ring(state)) {
        ring_begin(&state->ring);
    } else {
        json_begin(&state->json, txn);
    }
}

void on_commit(LogicalDecodingContext* context, ReorderBufferTXN* txn, XLogRecPtr) {
    PluginState* state = state_of(context);
    if (shows_ring(state)) {
        ring_commit(&state->ring, txn);
    } else {
        json_commit(&state->json, txn);
    }
}

/// The filter follows its own table, in commit order.
void take_config_change(PluginState* state, ReorderBufferTXN* txn, Relation relation,
                        ReorderBufferChange* change) {
    RingOutput* output = state->ring.output;
    StringInfoData message;
    initStringInfo(&message);
    if (!apply_subscription_change(state->filter, output->stream_id, relation, change, &message)) {
        return;
    }
    forget_verdicts(state->relations);
    const char* content = name_to_utf8(message.data);
    ring_message(&state->ring, txn, txn->final_lsn, kConfigPrefix, content, strlen(content));
}

void announce_all(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry) {
    ring_announce(face, txn, entry);
    for (const Above* above = entry->above; above != nullptr; above = above->next)
        ring_announce(face, txn, above->entry);
}

bool is_among(Oid relation, Relation const* relations, int count) {
    for (int i = 0; i < count; ++i) {
        if (RelationGetRelid(relations[i]) == relation) return true;
    }
    return false;
}

/// What was done to a partition alone, and to rows that nobody can name to the target.
void stop_those_above(RingFace* face, const ReorderBufferTXN* txn, const RelationEntry* entry,
                      Relation const* beside, int count, const char* what) {
    for (const Above* above = entry->above; above != nullptr; above = above->next) {
        if (!above->entry->wanted || is_among(above->entry->oid, beside, count)) continue;
        ring_stop(face, txn, above->entry,
                  psprintf("its partition %s.%s %s", entry->schema, entry->name, what));
    }
}

constexpr const char* kTruncatedAlone = "has been truncated alone: delete those rows at the target";
constexpr const char* kLoggedAlone =
    "has become logged with the rows that it has: put them into the target, or copy the table anew";

void take_ddl_event(PluginState* state, ReorderBufferTXN* txn, Relation table,
                    ReorderBufferChange* change) {
    DdlEvent event;
    if (!read_ddl_event(table, change, &event)) return;
    RelationEntry* entry = find_table(state->relations, event);
    choose_ddl_readers(state->filter, entry, &event);
    if (shows_ring(state) && event.kind == wire::DdlKind::rewrite) {
        note_rewrite(&state->rewrites, event.relation);
        if (event.first_rows && entry != nullptr)
            stop_those_above(&state->ring, txn, entry, nullptr, 0, kLoggedAlone);
    }
    if (event.wanted_count == 0) return;
    if (!shows_ring(state)) {
        json_ddl(&state->json, txn, event);
        return;
    }
    ring_ddl(&state->ring, txn, entry, event);
}

void take_sequence_event(PluginState* state, ReorderBufferTXN* txn, Relation table,
                         ReorderBufferChange* change) {
    SequenceEvent event;
    if (read_sequence_event(table, change, &event) &&
        has_subscription(state->filter, event.subscription)) {
        ring_sequence(&state->ring, txn, event);
    }
}

/// A row that ALTER TABLE writes anew, into a heap that takes the table's place afterwards. Without
/// the event nobody would know what to make of it.
void take_rewritten(PluginState* state, ReorderBufferTXN* txn, Relation heap,
                    ReorderBufferChange* change) {
    const Oid table = heap->rd_rel->relrewrite;
    if (!is_rewritten(state->rewrites, table) || change->action != REORDER_BUFFER_CHANGE_INSERT)
        return;
    Relation relation = RelationIdGetRelation(table);
    if (!RelationIsValid(relation)) return;
    RelationEntry* entry = find_relation(state->relations, relation);
    RelationClose(relation);
    if (entry->wanted) ring_row(&state->ring, txn, entry, heap, change, true);
}

void on_change(LogicalDecodingContext* context, ReorderBufferTXN* txn, Relation relation,
               ReorderBufferChange* change) {
    PluginState* state = state_of(context);
    MemoryContext caller = MemoryContextSwitchTo(state->per_change);
    if (unlikely(OidIsValid(relation->rd_rel->relrewrite))) {
        state->ring.output->ring->tick();
        take_rewritten(state, txn, relation, change);
        MemoryContextSwitchTo(caller);
        MemoryContextReset(state->per_change);
        return;
    }
    RelationEntry* entry = find_relation(state->relations, relation);
    if (shows_ring(state)) {
        state->ring.output->ring->tick();
        if (likely(entry->wanted)) {
            ring_row(&state->ring, txn, entry, relation, change, false);
        } else if (entry->is_config) {
            take_config_change(state, txn, relation, change);
        } else if (entry->is_secret) {
            apply_secret_change(state->filter, relation, change);
            forget_verdicts(state->relations);
        } else if (entry->is_ddl_event) {
            take_ddl_event(state, txn, relation, change);
        } else if (entry->is_sequence_event) {
            take_sequence_event(state, txn, relation, change);
        } else if (entry->announceable) {
            announce_all(&state->ring, txn, entry);
        }
    } else if (entry->wanted) {
        json_row(&state->json, txn, entry, relation, change);
    } else if (entry->is_ddl_event) {
        take_ddl_event(state, txn, relation, change);
    }
    MemoryContextSwitchTo(caller);
    MemoryContextReset(state->per_change);
}

void on_truncate(LogicalDecodingContext* context, ReorderBufferTXN* txn, int relation_count,
                 Relation relations[], ReorderBufferChange* change) {
    PluginState* state = state_of(context);
    MemoryContext caller = MemoryContextSwitchTo(state->per_change);
    auto** wanted = static_cast<RelationEntry**>(
        palloc(sizeof(RelationEntry*) * static_cast<Size>(Max(relation_count, 1))));
    uint32 count = 0;
    for (int i = 0; i < relation_count; ++i) {
        RelationEntry* entry = find_relation(state->relations, relations[i]);
        if (entry->wanted_as_itself) wanted[count++] = entry;
        if (shows_ring(state)) {
            stop_those_above(&state->ring, txn, entry, relations, relation_count, kTruncatedAlone);
        }
    }
    if (count > 0 && shows_ring(state)) {
        ring_truncate(&state->ring, txn, wanted, count, change);
    } else if (count > 0) {
        json_truncate(&state->json, txn, wanted, count, change);
    }
    MemoryContextSwitchTo(caller);
    MemoryContextReset(state->per_change);
}

/// Messages of our own prefix are never content. One that asks for a report is answered by the
/// worker's next keepalive; any other was not written by us, and is dropped.
bool is_reserved(PluginState* state, const char* prefix) {
    if (strncmp(prefix, kReservedPrefix, strlen(kReservedPrefix)) != 0) return false;
    if (shows_ring(state) && strcmp(prefix, kWaitPrefix) == 0) {
        state->ring.output->report_requested = true;
    }
    return true;
}

void on_message(LogicalDecodingContext* context, ReorderBufferTXN* txn, XLogRecPtr lsn,
                bool transactional, const char* prefix, Size size, const char* content) {
    PluginState* state = state_of(context);
    if (is_reserved(state, prefix)) return;
    ReorderBufferTXN* inside = transactional ? txn : nullptr;
    MemoryContext caller = MemoryContextSwitchTo(state->per_change);
    if (shows_ring(state)) {
        ring_message(&state->ring, inside, lsn, name_to_utf8(prefix), content, size);
    } else {
        json_message(&state->json, inside, lsn, prefix, content, size);
    }
    MemoryContextSwitchTo(caller);
    MemoryContextReset(state->per_change);
}

}  // namespace

}  // namespace fanout::plugin

FANOUT_EXPORT void _PG_output_plugin_init(OutputPluginCallbacks* callbacks) {
    using namespace fanout::plugin;
    callbacks->startup_cb = on_startup;
    callbacks->begin_cb = on_begin;
    callbacks->change_cb = on_change;
    callbacks->truncate_cb = on_truncate;
    callbacks->commit_cb = on_commit;
    callbacks->message_cb = on_message;
    callbacks->shutdown_cb = on_shutdown;
}
