// The list of subscriptions and the verdict on one table.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/table_filter.hpp"

namespace fanout::plugin {

namespace {

/// The owner must be able to read every row and column: a table with row security that applies to
/// the owner is refused like one without SELECT, because changes bypass its policies.
bool owner_may_read(const Subscription* subscription, Oid relation) {
    if (subscription->owner == nullptr) return true;
    const Oid role = get_role_oid(subscription->owner, true);
    if (!OidIsValid(role)) return false;
    if (superuser_arg(role)) return true;
    return server::may_select(relation, role) &&
           check_enable_rls(relation, role, true) != RLS_ENABLED;
}

}  // namespace

TableFilter* create_table_filter(MemoryContext parent) {
    MemoryContext context =
        AllocSetContextCreate(parent, "pg_fanout table filter", ALLOCSET_SMALL_SIZES);
    auto* filter = static_cast<TableFilter*>(MemoryContextAllocZero(context, sizeof(TableFilter)));
    filter->context = context;
    return filter;
}

void put_subscription(TableFilter* filter, uint32 id, const Terms& terms,
                      const char* const* entries, int entry_count) {
    MemoryContext context =
        AllocSetContextCreate(filter->context, "pg_fanout subscription", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto* subscription = static_cast<Subscription*>(palloc0(sizeof(Subscription)));
    subscription->id = id;
    subscription->owner = terms.owner != nullptr ? pstrdup(terms.owner) : nullptr;
    subscription->via_root = terms.via_root;
    subscription->context = context;
    subscription->entry_count = entry_count;
    subscription->entries = static_cast<TableEntry*>(
        palloc0(sizeof(TableEntry) * static_cast<Size>(Max(entry_count, 1))));
    for (int i = 0; i < entry_count; ++i)
        parse_table_entry(entries[i], &subscription->entries[i]);
    MemoryContextSwitchTo(caller);

    drop_subscription(filter, id);
    subscription->next = filter->first;
    filter->first = subscription;
    ++filter->count;
}

void drop_subscription(TableFilter* filter, uint32 id) {
    for (Subscription** link = &filter->first; *link != nullptr; link = &(*link)->next) {
        if ((*link)->id != id) continue;
        Subscription* dropped = *link;
        *link = dropped->next;
        --filter->count;
        MemoryContextDelete(dropped->context);
        return;
    }
}

bool has_subscription(const TableFilter* filter, uint32 id) {
    for (const Subscription* it = filter->first; it != nullptr; it = it->next) {
        if (it->id == id) return true;
    }
    return false;
}

bool is_via_root(const TableFilter* filter, uint32 id) {
    for (const Subscription* it = filter->first; it != nullptr; it = it->next) {
        if (it->id == id) return it->via_root;
    }
    return false;
}

void set_owner(TableFilter* filter, uint32 id, const char* owner) {
    for (Subscription* it = filter->first; it != nullptr; it = it->next) {
        if (it->id == id) it->owner = MemoryContextStrdup(it->context, owner);
    }
}

void set_mask_secret(TableFilter* filter, const bytea* secret) {
    if (filter->secret != nullptr) pfree(filter->secret);
    filter->secret = nullptr;
    if (secret == nullptr) return;
    MemoryContext caller = MemoryContextSwitchTo(filter->context);
    filter->secret = DatumGetByteaPCopy(PointerGetDatum(secret));
    MemoryContextSwitchTo(caller);
}

Verdict judge(const TableFilter* filter, const Lineage& lineage, bool is_partitioned) {
    Verdict verdict{};
    verdict.secret = filter->secret;
    verdict.interests =
        static_cast<Interest*>(palloc(sizeof(Interest) * static_cast<Size>(Max(filter->count, 1))));
    for (const Subscription* it = filter->first; it != nullptr; it = it->next) {
        if (is_partitioned && !it->via_root) continue;
        const Decision decision = decide(it->entries, it->entry_count, it->via_root, lineage);
        if (decision.entry < 0) continue;
        const Oid carrier = lineage.tables[decision.carrier].oid;
        verdict.interests[verdict.count++] = {it->id, &it->entries[decision.entry],
                                              owner_may_read(it, carrier), decision.carrier,
                                              nullptr};
    }
    return verdict;
}

}  // namespace fanout::plugin
