// The filter's content: fanout.subscription_def, once by query and then by its decoded changes.
//
// The worker's filter follows the table's own rows in the WAL, not messages: whoever may execute
// pg_logical_emit_message could forge those. For each change that concerns the stream the plugin
// puts a transactional message "pg_fanout.config" into the ring, so that fanoutd learns of it at
// the same place in the commit order.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/table_filter.hpp"

namespace fanout::plugin {

inline constexpr const char* kReservedPrefix = "pg_fanout.";
inline constexpr const char* kConfigPrefix = "pg_fanout.config";
inline constexpr const char* kWaitPrefix = "pg_fanout.wait";

/// Reads the stream's subscriptions by SPI. Only before a decoding context exists; starts and ends
/// a transaction of its own.
void load_subscriptions(TableFilter* filter, int32 stream_id);

/// Applies one decoded change of fanout.mask_secret.
void apply_secret_change(TableFilter* filter, Relation relation, const ReorderBufferChange* change);

/// Applies one decoded change of fanout.subscription_def. Returns false if it does not concern the
/// stream; otherwise `message` has the text for fanoutd.
bool apply_subscription_change(TableFilter* filter, int32 stream_id, Relation relation,
                               const ReorderBufferChange* change, StringInfo message);

}  // namespace fanout::plugin
