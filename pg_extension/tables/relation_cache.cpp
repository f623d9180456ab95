// Building, keeping and invalidating relation entries.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/relation_cache.hpp"
//
#include <initializer_list>

namespace fanout::plugin {

namespace {

// The cache of the decoding that runs in this process, if any. Callbacks cannot be unregistered, so
// they look here; the cache's memory context resets it however decoding ends.
RelationCache* live_cache = nullptr;

constexpr const char* kOwnSchema = "fanout";
constexpr const char* kConfigTable = "subscription_def";
constexpr const char* kDdlEventTable = "ddl_event";
constexpr const char* kSequenceEventTable = "sequence_event";
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

bool can_be_carried(const RelationCache* cache, Relation relation, const char* schema) {
    return relation->rd_rel->relkind == RELKIND_RELATION &&
           (relation->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT ||
            RelationGetRelid(relation) == cache->being_logged) &&
           !IsCatalogNamespace(RelationGetNamespace(relation)) &&
           !IsToastNamespace(RelationGetNamespace(relation)) &&
           strcmp(schema, "information_schema") != 0 && strcmp(schema, kOwnSchema) != 0;
}

void make_room(RelationEntry* entry, int attributes) {
    const auto room = static_cast<Size>(Max(attributes, 1));
    for (RowImage& image : entry->images) {
        image.values = static_cast<Datum*>(palloc0(sizeof(Datum) * room));
        image.nulls = static_cast<bool*>(palloc0(sizeof(bool) * room));
    }
}

bool same_bodies(const Projection* one, const Projection* other) {
    for (; one != nullptr && other != nullptr; one = one->next, other = other->next) {
        if (one->body_size != other->body_size || one->record_flags != other->record_flags ||
            memcmp(one->body, other->body, one->body_size) != 0) {
            return false;
        }
    }
    return one == other;
}

/// All projections of a table are announced together: one that differs gives all a new version.
void keep_versions(RelationCache* cache, const RelationEntry* before, RelationEntry* fresh) {
    const Projection* old = before->projections;
    bool same = old != nullptr && same_bodies(old, fresh->projections);
    for (Projection* it = fresh->projections; it != nullptr; it = it->next) {
        fresh->wanted |= it->wanted;
        fresh->selective |= it->predicate != nullptr || it->next != nullptr;
    }
    fresh->announced = same && before->announced;
    for (Projection* it = fresh->projections; it != nullptr; it = it->next) {
        it->version = same ? old->version : ++cache->last_version;
        if (same) old = old->next;
    }
}

void build(RelationCache* cache, RelationEntry* entry, Relation relation) {
    MemoryContext context =
        AllocSetContextCreate(cache->context, "pg_fanout relation", ALLOCSET_SMALL_SIZES);
    RelationEntry fresh{};
    fresh.oid = entry->oid;
    fresh.context = context;
    MemoryContext caller = MemoryContextSwitchTo(context);
    fresh.schema = get_namespace_name(RelationGetNamespace(relation));
    if (fresh.schema == nullptr) elog(ERROR, "cache lookup failed for the schema of a table");
    fresh.name = pstrdup(RelationGetRelationName(relation));
    fresh.is_config = cache->carries_config && strcmp(fresh.schema, kOwnSchema) == 0 &&
                      strcmp(fresh.name, kConfigTable) == 0;
    fresh.is_ddl_event =
        strcmp(fresh.schema, kOwnSchema) == 0 && strcmp(fresh.name, kDdlEventTable) == 0;
    fresh.is_sequence_event = cache->carries_config && strcmp(fresh.schema, kOwnSchema) == 0 &&
                              strcmp(fresh.name, kSequenceEventTable) == 0;
    Verdict verdict{};
    if (can_be_carried(cache, relation, fresh.schema)) {
        verdict = judge(cache->filter, fresh.oid, fresh.schema, fresh.name);
    }
    // A table that is only denied is announced too, so that its subscriptions can say so.
    fresh.announceable = verdict.count != 0;
    if (fresh.announceable) {
        fresh.projections =
            build_projections(relation, fresh.schema, fresh.name, verdict, !cache->carries_config);
        make_room(&fresh, RelationGetDescr(relation)->natts);
    }
    MemoryContextSwitchTo(caller);
    keep_versions(cache, entry, &fresh);
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
