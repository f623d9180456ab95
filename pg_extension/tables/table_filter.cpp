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

void put_subscription(TableFilter* filter, uint32 id, const char* owner, const char* const* entries,
                      int entry_count) {
    MemoryContext context =
        AllocSetContextCreate(filter->context, "pg_fanout subscription", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto* subscription = static_cast<Subscription*>(palloc0(sizeof(Subscription)));
    subscription->id = id;
    subscription->owner = owner != nullptr ? pstrdup(owner) : nullptr;
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

void set_owner(TableFilter* filter, uint32 id, const char* owner) {
    for (Subscription* it = filter->first; it != nullptr; it = it->next) {
        if (it->id == id) it->owner = MemoryContextStrdup(it->context, owner);
    }
}

Verdict judge(const TableFilter* filter, Oid relation, const char* schema, const char* table) {
    Verdict verdict{};
    verdict.interests =
        static_cast<Interest*>(palloc(sizeof(Interest) * static_cast<Size>(Max(filter->count, 1))));
    for (const Subscription* it = filter->first; it != nullptr; it = it->next) {
        const int place = deciding_entry(it->entries, it->entry_count, schema, table);
        if (place < 0) continue;
        verdict.interests[verdict.count++] = {it->id, &it->entries[place],
                                              owner_may_read(it, relation)};
    }
    return verdict;
}

}  // namespace fanout::plugin
