// Which subscriptions want which tables, and which of them may.
//
// Loaded from fanout.subscription_def before decoding begins, and kept current by the changes of
// that table as they are decoded (see subscription_config): so the filter changes exactly at the
// commit that changed it. A table is carried if at least one subscription wants it and its owner
// may read the whole of it. Memory: each subscription has a context of its own.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/lineage.hpp"
#include "pg_extension/tables/table_entry.hpp"

namespace fanout::plugin {

struct Subscription {
    uint32 id;
    const char* owner;  // nullptr: no check of privileges (the text face has made its own)
    bool via_root;      // partitions go out under the name of the table above
    TableEntry* entries;
    int entry_count;
    MemoryContext context;
    Subscription* next;
};

/// One subscription that names a table, and the entry of its list that decides on it.
struct Interest {
    uint32 subscription;
    const TableEntry* entry;
    bool may_read;
    int carrier;          // in the lineage: 0 as itself, else under the name of that table above it
    const char* refusal;  // why its rows cannot be had; nullptr if they can
};

/// What the filter says of one table. The array is in CurrentMemoryContext, newest subscription
/// first.
struct Verdict {
    Interest* interests;
    int count;
    const bytea* secret;  // of the masks; the filter's
};

struct TableFilter {
    MemoryContext context;
    Subscription* first;
    int count;
    bytea* secret;  // of masks that hash; nullptr: there is none
};

TableFilter* create_table_filter(MemoryContext parent);

/// Whose subscription, and how it is carried.
struct Terms {
    const char* owner;
    bool via_root;
};

/// Adds or replaces. `entries` are texts; a malformed one raises an error.
void put_subscription(TableFilter* filter, uint32 id, const Terms& terms,
                      const char* const* entries, int entry_count);

void drop_subscription(TableFilter* filter, uint32 id);
bool has_subscription(const TableFilter* filter, uint32 id);
bool is_via_root(const TableFilter* filter, uint32 id);

/// The entries stay as they are. Nothing happens if the subscription is unknown.
void set_owner(TableFilter* filter, uint32 id, const char* owner);

/// nullptr takes it away.
void set_mask_secret(TableFilter* filter, const bytea* secret);

/// Looks into the catalogs of the moment that is decoded, so a transaction must be there. A
/// partitioned table is for subscriptions with via_root only.
Verdict judge(const TableFilter* filter, const Lineage& lineage, bool is_partitioned);

}  // namespace fanout::plugin
