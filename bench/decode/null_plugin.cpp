// An output plugin that does nothing: the floor under every other one. Bench only.
#include "pg_extension/pg.hpp"

#pragma GCC visibility push(default)
extern "C" {
PG_MODULE_MAGIC;
void _PG_output_plugin_init(OutputPluginCallbacks* callbacks);
}
#pragma GCC visibility pop

namespace {

void startup(LogicalDecodingContext*, OutputPluginOptions* options, bool) {
    options->output_type = OUTPUT_PLUGIN_BINARY_OUTPUT;
}
void begin(LogicalDecodingContext*, ReorderBufferTXN*) {}
void commit(LogicalDecodingContext*, ReorderBufferTXN*, XLogRecPtr) {}
void change(LogicalDecodingContext*, ReorderBufferTXN*, Relation, ReorderBufferChange*) {}

}  // namespace

extern "C" void _PG_output_plugin_init(OutputPluginCallbacks* callbacks) {
    callbacks->startup_cb = startup;
    callbacks->begin_cb = begin;
    callbacks->change_cb = change;
    callbacks->commit_cb = commit;
}
