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

ColumnNames take_names(Datum array) {
    ColumnNames taken{nullptr, 0};
    bool* nulls = nullptr;
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &taken.names,
                      &nulls, &taken.count);
    return taken;
}

void take_column(DdlEvent* event, const char* name, Datum value) {
    if (strcmp(name, "relation") == 0) {
        event->relation = DatumGetObjectId(value);
    } else if (strcmp(name, "first_rows") == 0) {
        event->first_rows = DatumGetBool(value);
    } else if (strcmp(name, "missing") == 0) {
        event->missing = TextDatumGetCString(value);
    } else if (strcmp(name, "used_columns") == 0) {
        event->used = take_names(value);
    } else if (strcmp(name, "clear_columns") == 0) {
        event->clear = take_names(value);
    }
    for (const TextColumn& column : kTextColumns) {
        if (strcmp(column.name, name) == 0) event->*column.text = TextDatumGetCString(value);
    }
}

bool is_listed(const TableEntry* entry, const char* column) {
    if (entry->columns == nullptr) return true;
    for (int i = 0; i < entry->column_count; ++i) {
        if (strcmp(entry->columns[i], column) == 0) return true;
    }
    return false;
}

bool is_clear(const TableEntry* entry, const char* column) {
    for (int i = 0; i < entry->mask_count; ++i) {
        if (strcmp(entry->masks[i].column, column) == 0) return false;
    }
    return true;
}

bool holds_for_all(const TableEntry* entry, const ColumnNames& columns,
                   bool (*rule)(const TableEntry*, const char*)) {
    for (int i = 0; i < columns.count; ++i) {
        if (!rule(entry, TextDatumGetCString(columns.names[i]))) return false;
    }
    return true;
}

/// A list of columns is about those and no others.
bool concerns(const TableEntry* entry, const DdlEvent& event) {
    if (event.kind == wire::DdlKind::create_index) {
        return holds_for_all(entry, event.used, is_listed) &&
               holds_for_all(entry, event.clear, is_clear);
    }
    const char* column = event.column[0] != '\0' ? event.column : event.new_column;
    return column[0] == '\0' || is_listed(entry, column);
}

/// A partition that is chosen by a table above it was so before.
bool is_known_before(const Subscription* subscription, const RelationEntry* entry,
                     const DdlEvent& event) {
    return event.kind != wire::DdlKind::rename_table ||
           deciding_entry(subscription->entries, subscription->entry_count, entry->schema,
                          entry->name) < 0 ||
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
    const Lineage lineage =
        lineage_of(entry->oid, get_rel_relispartition(entry->oid), entry->schema, entry->name);
    const bool is_partitioned = get_rel_relkind(entry->oid) == RELKIND_PARTITIONED_TABLE;
    const Verdict verdict = judge(filter, lineage, is_partitioned);
    for (int i = 0; i < verdict.count; ++i) {
        const Interest& interest = verdict.interests[i];
        // Under another table's name there is no such partition at the target.
        if (interest.carrier == 0 && interest.may_read && concerns(interest.entry, *event) &&
            is_known_before(find_subscription(filter, interest.subscription), entry, *event)) {
            event->wanted[event->wanted_count++] = interest.subscription;
        }
    }
}

}  // namespace fanout::plugin
