// Options of the text face, as given to pg_logical_slot_get_changes(…, 'name', 'value', …).
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::plugin {

struct PluginOptions {
    bool include_transactions;  // lines for begin and commit
    bool include_xids;
    bool include_lsns;
    bool include_times;
    bool include_messages;
    const char* const* tables;  // patterns
    int table_count;
};

/// `options` is the list of DefElem that the server passes. Unknown names and bad values raise
/// 22023.
void parse_plugin_options(List* options, PluginOptions* parsed);

}  // namespace fanout::plugin
