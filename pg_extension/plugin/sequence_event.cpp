// Columns are found by name, so that the table may grow in later versions.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/plugin/sequence_event.hpp"

namespace fanout::plugin {

bool read_sequence_event(Relation table, const ReorderBufferChange* change, SequenceEvent* event) {
    if (change->action != REORDER_BUFFER_CHANGE_INSERT) return false;
    HeapTuple row = server::new_tuple(change);
    if (row == nullptr) return false;
    TupleDesc shape = RelationGetDescr(table);
    *event = SequenceEvent{0, "", "", 0, 0, true};
    for (int i = 0; i < shape->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (attribute->attisdropped) continue;
        bool is_null = false;
        const Datum value = heap_getattr(row, i + 1, shape, &is_null);
        if (is_null) continue;
        const char* name = NameStr(attribute->attname);
        if (strcmp(name, "subscription_id") == 0) {
            event->subscription = static_cast<uint32>(DatumGetInt32(value));
        } else if (strcmp(name, "schema_name") == 0) {
            event->schema = TextDatumGetCString(value);
        } else if (strcmp(name, "sequence_name") == 0) {
            event->name = TextDatumGetCString(value);
        } else if (strcmp(name, "last_value") == 0) {
            event->last_value = DatumGetInt64(value);
        } else if (strcmp(name, "increment") == 0) {
            event->increment = DatumGetInt64(value);
        } else if (strcmp(name, "is_called") == 0) {
            event->is_called = DatumGetBool(value);
        }
    }
    return true;
}

}  // namespace fanout::plugin
