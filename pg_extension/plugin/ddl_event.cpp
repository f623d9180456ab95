// Columns are found by name, so that the table may grow in later versions.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/plugin/ddl_event.hpp"

namespace fanout::plugin {

namespace {

constexpr const char* kKindNames[] = {
    "create_table",     "drop_table",     "rename_table",
    "add_column",       "drop_column",    "rename_column",
    "alter_type",       "alter_nullable", "alter_default",
    "alter_key",        "rewrite",        "attach_partition",
    "detach_partition", "create_index",   "drop_index",
    "comment",          "other",
};

wire::DdlKind kind_of(const char* name) {
    uint8 number = 1;
    for (const char* known : kKindNames) {
        if (strcmp(name, known) == 0) return static_cast<wire::DdlKind>(number);
        ++number;
    }
    return wire::DdlKind::other;
}

struct TextColumn {
    const char* name;
    const char* DdlEvent::*text;
};
constexpr TextColumn kTextColumns[] = {
    {"kind", &DdlEvent::kind_name},        {"schema_name", &DdlEvent::schema},
    {"table_name", &DdlEvent::name},       {"new_schema", &DdlEvent::new_schema},
    {"new_table", &DdlEvent::new_name},    {"column_name", &DdlEvent::column},
    {"new_column", &DdlEvent::new_column}, {"before", &DdlEvent::before},
    {"after", &DdlEvent::after},           {"statement", &DdlEvent::statement},
};

void take_column(DdlEvent* event, const char* name, Datum value) {
    if (strcmp(name, "relation") == 0) {
        event->relation = DatumGetObjectId(value);
    } else if (strcmp(name, "first_rows") == 0) {
        event->first_rows = DatumGetBool(value);
    } else if (strcmp(name, "missing") == 0) {
        event->missing = TextDatumGetCString(value);
    }
    for (const TextColumn& column : kTextColumns) {
        if (strcmp(column.name, name) == 0) event->*column.text = TextDatumGetCString(value);
    }
}

/// A list of columns is about those and no others.
bool concerns(const TableEntry* entry, const DdlEvent& event) {
    const char* column = event.column[0] != '\0' ? event.column : event.new_column;
    if (entry->columns == nullptr || column[0] == '\0') return true;
    for (int i = 0; i < entry->column_count; ++i) {
        if (strcmp(entry->columns[i], column) == 0) return true;
    }
    return false;
}

bool is_known_before(const Subscription* subscription, const DdlEvent& event) {
    return event.kind != wire::DdlKind::rename_table ||
           deciding_entry(subscription->entries, subscription->entry_count, event.schema,
                          event.name) >= 0;
}

const Subscription* find_subscription(const TableFilter* filter, uint32 id) {
    for (const Subscription* it = filter->first; it != nullptr; it = it->next) {
        if (it->id == id) return it;
    }
    return nullptr;
}

}  // namespace

bool read_ddl_event(Relation table, const ReorderBufferChange* change, DdlEvent* event) {
    if (change->action != REORDER_BUFFER_CHANGE_INSERT) return false;
    HeapTuple row = server::new_tuple(change);
    if (row == nullptr) return false;
    TupleDesc shape = RelationGetDescr(table);
    *event = DdlEvent{};
    for (const TextColumn& column : kTextColumns)
        event->*column.text = "";
    for (int i = 0; i < shape->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (attribute->attisdropped) continue;
        bool is_null = false;
        const Datum value = heap_getattr(row, i + 1, shape, &is_null);
        if (!is_null) take_column(event, NameStr(attribute->attname), value);
    }
    event->kind = kind_of(event->kind_name);
    event->is_gone = event->kind == wire::DdlKind::drop_table;
    return true;
}

RelationEntry* find_table(RelationCache* relations, const DdlEvent& event) {
    if (event.is_gone) return nullptr;
    if (event.first_rows) {
        // It is still unlogged at this place, and its rows are on their way into the WAL.
        relations->being_logged = event.relation;
        forget_verdicts(relations);
    }
    Relation relation = RelationIdGetRelation(event.relation);
    if (!RelationIsValid(relation)) return nullptr;
    RelationEntry* entry = find_relation(relations, relation);
    RelationClose(relation);
    return entry;
}

void note_rewrite(Rewrites* rewrites, Oid table) {
    MemoryContext caller = MemoryContextSwitchTo(rewrites->context);
    rewrites->tables = list_append_unique_oid(rewrites->tables, table);
    MemoryContextSwitchTo(caller);
}

void forget_rewrites(Rewrites* rewrites, RelationCache* relations) {
    list_free(rewrites->tables);
    rewrites->tables = NIL;
    relations->being_logged = InvalidOid;
}

void choose_ddl_readers(const TableFilter* filter, const RelationEntry* entry, DdlEvent* event) {
    event->wanted =
        static_cast<uint32*>(palloc(sizeof(uint32) * static_cast<Size>(Max(filter->count, 1))));
    if (event->is_gone) {
        // Nobody's rights to it can be asked for any more, and its name is no secret.
        for (const Subscription* it = filter->first; it != nullptr; it = it->next) {
            if (deciding_entry(it->entries, it->entry_count, event->schema, event->name) >= 0) {
                event->wanted[event->wanted_count++] = it->id;
            }
        }
        return;
    }
    if (entry == nullptr || !entry->announceable) return;
    const Verdict verdict = judge(filter, entry->oid, entry->schema, entry->name);
    for (int i = 0; i < verdict.count; ++i) {
        const Interest& interest = verdict.interests[i];
        if (interest.may_read && concerns(interest.entry, *event) &&
            is_known_before(find_subscription(filter, interest.subscription), *event)) {
            event->wanted[event->wanted_count++] = interest.subscription;
        }
    }
}

}  // namespace fanout::plugin
