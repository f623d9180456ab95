// A deformed tuple becomes one image of the wire format, in two passes: find_values() looks at
// every column once (detoasting, calling output functions where the plan says so) and returns the
// exact size; write_values() copies. Found values point into the tuple or into
// CurrentMemoryContext, which the caller resets after each change.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/tables/projection.hpp"

namespace fanout::plugin {

enum class ImageKind : uint8 {
    whole,  // every column
    key,    // only the columns of the replica identity; the others are absent
};

/// The value is in TOAST and was not changed, so the WAL does not have it.
inline bool is_unchanged_toast(const ValuePlan& plan, Datum datum) {
    return plan.toastable && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(datum));
}

/// Bytes that the image takes.
uint64 find_values(const Projection* projection, const RowImage& image, ImageKind kind,
                   FoundValue* found);

/// A constant width lets the compiler copy without a call.
template <typename Out>
void write_fixed(Out& out, const FoundValue& value) {
    switch (value.size) {
        case 1:
            return out.put_fixed(value.data, 1);
        case 2:
            return out.put_fixed(value.data, 2);
        case 4:
            return out.put_fixed(value.data, 4);
        case 8:
            return out.put_fixed(value.data, 8);
        case 16:
            return out.put_fixed(value.data, 16);
        default:
            return out.put_fixed(value.data, value.size);
    }
}

template <typename Out>
void write_values(Out& out, const Projection* projection, const FoundValue* found) {
    for (int i = 0; i < projection->column_count; ++i) {
        const FoundValue& value = found[i];
        if (value.tag != wire::Tag::present) {
            out.put_tag(value.tag);
        } else if (projection->columns[i].value.value_class == wire::ValueClass::fixed) {
            write_fixed(out, value);
        } else {
            out.put_sized(value.data, value.size);
        }
    }
}

}  // namespace fanout::plugin
