// Where sequences stand, as it is found in the WAL: rows of fanout.sequence_event, which only
// functions of the extension write.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::plugin {

struct SequenceEvent {
    uint32 subscription;
    const char *schema, *name;
    int64 last_value, increment;
    bool is_called;
};

/// False if the change is not the insertion of an event.
bool read_sequence_event(Relation table, const ReorderBufferChange* change, SequenceEvent* event);

}  // namespace fanout::plugin
