// What the plugin knows of each table it has met: the plan of every column, the verdict of the
// filter, and the body of the relation record.
//
// Lives in the decoding context. Invalidation callbacks only mark entries; an entry is rebuilt when
// the next row of its table comes, and gets a new version only if its bytes differ. So an entry in
// use never changes under a callback.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/table_filter.hpp"
#include "pg_extension/tables/value_plan.hpp"
//
#include "fanout/wire/record_format.hpp"

namespace fanout::plugin {

struct ColumnPlan {
    ValuePlan value;
    const char* name;
    int attribute;  // place in the tuple descriptor, from 0
    uint8 flags;    // wire::kColumnKey …
    FmgrInfo output;
};

/// One value, found but not yet written.
struct FoundValue {
    wire::Tag tag;
    uint32 size;
    const void* data;
    Datum datum;
};

struct RelationEntry {
    Oid oid;  // key
    bool valid;
    bool announceable;  // some subscription names it: wanted or denied
    bool wanted;        // some subscription gets its rows
    bool is_config;     // fanout.subscription_def
    bool announced;     // the relation record of `version` has been sent
    wire::Identity identity;
    uint32 version;
    const char* schema;
    const char* name;
    ColumnPlan* columns;
    int column_count;
    Datum* datums;  // room for one deformed tuple
    bool* nulls;
    FoundValue* found[2];  // room for the old and the new image
    const char* body;      // of the relation record, without the version
    Size body_size;
    MemoryContext context;
};

struct RelationCache {
    MemoryContext context;
    HTAB* entries;
    const TableFilter* filter;
    RelationEntry* last;
    uint32 last_version;
    bool carries_config;  // the ring face watches fanout.subscription_def
};

RelationCache* create_relation_cache(MemoryContext parent, const TableFilter* filter,
                                     bool carries_config);

/// The current entry of `relation`. A transaction with the catalogs of its moment must be there.
RelationEntry* find_relation(RelationCache* cache, Relation relation);

/// The filter has changed: every verdict is to be asked again.
void forget_verdicts(RelationCache* cache);

}  // namespace fanout::plugin
