// What the plugin needs of the worker, when it runs inside one: where records go.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/table_filter.hpp"
#include "pg_extension/worker/ring_producer.hpp"
#include "pg_extension/worker/slot_progress.hpp"

namespace fanout::plugin {

struct RingOutput {
    worker::RingProducer* ring;
    worker::SlotProgress* progress;
    TableFilter* filter;  // loaded by the worker, then owned by the plugin
    int32 stream_id;
    bool report_requested;  // set by the plugin, cleared by the worker's next keepalive
};

/// Set once by the worker before its decoding context exists; makes the plugin show its ring face.
/// nullptr in every other process: the text face.
extern RingOutput* ring_output;

}  // namespace fanout::plugin
