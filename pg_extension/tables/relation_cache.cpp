// Building, keeping and invalidating relation entries.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/relation_cache.hpp"
//
#include "pg_extension/tables/buffer_writer.hpp"

namespace fanout::plugin {

namespace {

// The cache of the decoding that runs in this process, if any. Callbacks cannot be unregistered, so
// they look here; the cache's memory context resets it however decoding ends.
RelationCache* live_cache = nullptr;

constexpr const char* kOwnSchema = "fanout";
constexpr const char* kConfigTable = "subscription_def";
constexpr long kSweepEntries = 4096;

void invalidate_all() {
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, live_cache->entries);
    while (auto* entry = static_cast<RelationEntry*>(hash_seq_search(&scan)))
        entry->valid = false;
}

void on_relation_change(Datum, Oid relation) {
    if (live_cache == nullptr) return;
    if (!OidIsValid(relation)) {
        invalidate_all();
        return;
    }
    auto* entry = static_cast<RelationEntry*>(
        hash_search(live_cache->entries, &relation, HASH_FIND, nullptr));
    if (entry != nullptr) entry->valid = false;
}

// Schema and type names, roles and their memberships: rare, so everything is looked at again.
void on_catalog_change(Datum, int, uint32) {
    if (live_cache != nullptr) invalidate_all();
}

void register_callbacks() {
    static bool registered = false;
    if (registered) return;
    CacheRegisterRelcacheCallback(on_relation_change, 0);
    for (const int cache : {NAMESPACEOID, TYPEOID, AUTHOID, AUTHMEMROLEMEM}) {
        CacheRegisterSyscacheCallback(cache, on_catalog_change, 0);
    }
    registered = true;
}

/// The columns of an index, as a bit for each attribute number.
Bitmapset* index_columns(Oid index) {
    if (!OidIsValid(index)) return nullptr;
    HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
    if (!HeapTupleIsValid(tuple)) return nullptr;
    auto* form = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
    Bitmapset* columns = nullptr;
    for (int i = 0; i < form->indnkeyatts; ++i) {
        columns = bms_add_member(columns, form->indkey.values[i]);
    }
    ReleaseSysCache(tuple);
    return columns;
}

uint8 column_flags(Form_pg_attribute attribute, wire::Identity identity, Bitmapset* key,
                   Bitmapset* primary) {
    uint8 flags = 0;
    if (identity == wire::Identity::full || bms_is_member(attribute->attnum, key)) {
        flags |= wire::kColumnKey;
    }
    if (attribute->attnotnull) flags |= wire::kColumnNotNull;
    if (attribute->attgenerated != '\0') flags |= wire::kColumnGenerated;
    if (attribute->attidentity != '\0') flags |= wire::kColumnIdentity;
    if (bms_is_member(attribute->attnum, primary)) flags |= wire::kColumnPrimaryKey;
    return flags;
}

void plan_columns(RelationEntry* entry, Relation relation) {
    TupleDesc shape = RelationGetDescr(relation);
    Bitmapset* primary = index_columns(server::primary_key_index(relation));
    Bitmapset* key = entry->identity == wire::Identity::nothing
                         ? nullptr
                         : index_columns(RelationGetReplicaIndex(relation));
    const auto room = static_cast<Size>(Max(shape->natts, 1));
    entry->columns = static_cast<ColumnPlan*>(palloc0(sizeof(ColumnPlan) * room));
    entry->datums = static_cast<Datum*>(palloc0(sizeof(Datum) * room));
    entry->nulls = static_cast<bool*>(palloc0(sizeof(bool) * room));
    for (auto& found : entry->found) {
        found = static_cast<FoundValue*>(palloc0(sizeof(FoundValue) * room));
    }
    entry->column_count = 0;
    for (int i = 0; i < shape->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (attribute->attisdropped || !server::is_stored(attribute)) continue;
        ColumnPlan* column = &entry->columns[entry->column_count++];
        column->attribute = i;
        column->name = pstrdup(NameStr(attribute->attname));
        column->value = plan_value(attribute->atttypid);
        column->flags = column_flags(attribute, entry->identity, key, primary);
        Oid output = InvalidOid;
        bool varlena = false;
        getTypeOutputInfo(attribute->atttypid, &output, &varlena);
        fmgr_info_cxt(output, &column->output, entry->context);
    }
}

StringInfoData build_body(const RelationEntry* entry, Relation relation, const Verdict& verdict) {
    StringInfoData body;
    initStringInfo(&body);
    BufferWriter out(&body);
    out.put(wire::RelationBody{entry->oid, 0, static_cast<uint8>(entry->identity),
                               static_cast<uint8>(relation->rd_rel->relkind),
                               static_cast<uint16>(entry->column_count), verdict.wanted_count,
                               verdict.denied_count});
    out.put_text(entry->schema);
    out.put_text(entry->name);
    for (int i = 0; i < entry->column_count; ++i) {
        const ColumnPlan& column = entry->columns[i];
        Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), column.attribute);
        // A domain is carried as its base type. The name is schema-qualified unless it is in
        // pg_catalog, because that is all the pinned search path has.
        int32 typmod = attribute->atttypmod;
        const Oid type = getBaseTypeAndTypmod(attribute->atttypid, &typmod);
        out.put(wire::ColumnBody{type, typmod, attribute->attnum,
                                 static_cast<uint8>(column.value.value_class), column.flags,
                                 column.value.width, 0});
        out.put_text(column.name);
        out.put_text(format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN));
    }
    for (int i = 0; i < verdict.wanted_count; ++i)
        out.put(verdict.wanted[i]);
    for (int i = 0; i < verdict.denied_count; ++i)
        out.put(verdict.denied[i]);
    return body;
}

bool can_be_carried(Relation relation, const char* schema) {
    return relation->rd_rel->relkind == RELKIND_RELATION &&
           relation->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT &&
           !IsCatalogNamespace(RelationGetNamespace(relation)) &&
           !IsToastNamespace(RelationGetNamespace(relation)) &&
           strcmp(schema, "information_schema") != 0 && strcmp(schema, kOwnSchema) != 0;
}

void build(RelationCache* cache, RelationEntry* entry, Relation relation) {
    MemoryContext context =
        AllocSetContextCreate(cache->context, "pg_fanout relation", ALLOCSET_SMALL_SIZES);
    RelationEntry fresh{};
    fresh.oid = entry->oid;
    fresh.context = context;
    fresh.identity = static_cast<wire::Identity>(relation->rd_rel->relreplident);

    MemoryContext caller = MemoryContextSwitchTo(context);
    fresh.schema = get_namespace_name(RelationGetNamespace(relation));
    if (fresh.schema == nullptr) elog(ERROR, "cache lookup failed for the schema of a table");
    fresh.name = pstrdup(RelationGetRelationName(relation));
    fresh.is_config = cache->carries_config && strcmp(fresh.schema, kOwnSchema) == 0 &&
                      strcmp(fresh.name, kConfigTable) == 0;
    Verdict verdict{};
    if (can_be_carried(relation, fresh.schema)) {
        verdict = judge(cache->filter, fresh.oid, fresh.schema, fresh.name);
    }
    // A table that is only denied is announced too, so that its subscriptions can say so.
    fresh.announceable = verdict.wanted_count + verdict.denied_count != 0;
    if (fresh.announceable) {
        plan_columns(&fresh, relation);
        const StringInfoData body = build_body(&fresh, relation, verdict);
        fresh.body = body.data;
        fresh.body_size = static_cast<Size>(body.len);
    }
    MemoryContextSwitchTo(caller);

    const bool same = entry->body != nullptr && fresh.body != nullptr &&
                      entry->body_size == fresh.body_size &&
                      memcmp(entry->body, fresh.body, fresh.body_size) == 0;
    fresh.version = entry->version;
    if (!same && fresh.announceable) fresh.version = ++cache->last_version;
    fresh.announced = same && entry->announced;
    fresh.wanted = verdict.wanted_count != 0;
    fresh.valid = true;
    if (entry->context != nullptr) MemoryContextDelete(entry->context);
    *entry = fresh;
}

/// Tables come and go; entries of those that are gone have been invalidated.
void sweep(RelationCache* cache) {
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, cache->entries);
    while (auto* entry = static_cast<RelationEntry*>(hash_seq_search(&scan))) {
        if (entry->valid) continue;
        if (entry->context != nullptr) MemoryContextDelete(entry->context);
        hash_search(cache->entries, &entry->oid, HASH_REMOVE, nullptr);
    }
    cache->last = nullptr;
}

}  // namespace

RelationCache* create_relation_cache(MemoryContext parent, const TableFilter* filter,
                                     bool carries_config) {
    MemoryContext context =
        AllocSetContextCreate(parent, "pg_fanout relations", ALLOCSET_DEFAULT_SIZES);
    auto* cache =
        static_cast<RelationCache*>(MemoryContextAllocZero(context, sizeof(RelationCache)));
    cache->context = context;
    cache->filter = filter;
    cache->carries_config = carries_config;
    HASHCTL control{};
    control.keysize = sizeof(Oid);
    control.entrysize = sizeof(RelationEntry);
    control.hcxt = context;
    cache->entries =
        hash_create("pg_fanout relations", 128, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    auto* reset = static_cast<MemoryContextCallback*>(
        MemoryContextAllocZero(context, sizeof(MemoryContextCallback)));
    reset->func = [](void* gone) {
        if (live_cache == gone) live_cache = nullptr;
    };
    reset->arg = cache;
    MemoryContextRegisterResetCallback(context, reset);
    register_callbacks();
    live_cache = cache;
    return cache;
}

RelationEntry* find_relation(RelationCache* cache, Relation relation) {
    const Oid oid = RelationGetRelid(relation);
    if (cache->last != nullptr && cache->last->oid == oid && cache->last->valid) return cache->last;
    bool found = false;
    auto* entry =
        static_cast<RelationEntry*>(hash_search(cache->entries, &oid, HASH_ENTER, &found));
    if (!found) {
        *entry = RelationEntry{};
        entry->oid = oid;
        if (hash_get_num_entries(cache->entries) % kSweepEntries == 0) {
            entry->valid = true;  // not this one
            sweep(cache);
            entry->valid = false;
        }
    }
    if (!entry->valid) build(cache, entry, relation);
    cache->last = entry;
    return entry;
}

void forget_verdicts(RelationCache* cache) {
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, cache->entries);
    while (auto* entry = static_cast<RelationEntry*>(hash_seq_search(&scan)))
        entry->valid = false;
}

}  // namespace fanout::plugin
