// What the plugin knows of each table it has met: who gets what of it, and how.
//
// Lives in the decoding context. Invalidation callbacks only mark entries; an entry is rebuilt when
// the next row of its table comes, and gets new versions only if its bytes differ. So an entry in
// use never changes under a callback.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/projection.hpp"

namespace fanout::plugin {

struct RelationEntry {
    Oid oid;  // key
    bool valid;
    bool announceable;  // some subscription names it: wanted or denied
    bool wanted;        // some subscription gets its rows
    bool selective;     // not simply every row and column for everyone: see the projections
    bool is_config;     // fanout.subscription_def
    bool is_ddl_event;  // fanout.ddl_event
    bool is_sequence_event;
    bool announced;  // the relation records of the present versions have been sent
    const char* schema;
    const char* name;
    Projection* projections;  // nullptr unless announceable
    RowImage images[3];       // room for deformed tuples: old, new, and new made complete
    MemoryContext context;
};

struct RelationCache {
    MemoryContext context;
    HTAB* entries;
    const TableFilter* filter;
    RelationEntry* last;
    uint32 last_version;
    bool carries_config;  // the ring face watches fanout.subscription_def
    Oid being_logged;     // an unlogged table whose rows are being written to the WAL
};

RelationCache* create_relation_cache(MemoryContext parent, const TableFilter* filter,
                                     bool carries_config);

/// The current entry of `relation`. A transaction with the catalogs of its moment must be there.
RelationEntry* find_relation(RelationCache* cache, Relation relation);

/// The filter has changed: every verdict is to be asked again.
void forget_verdicts(RelationCache* cache);

}  // namespace fanout::plugin
