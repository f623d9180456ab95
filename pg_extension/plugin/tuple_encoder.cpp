// The first pass: from Datums to bytes that can be copied.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/plugin/tuple_encoder.hpp"
//
#include "pg_extension/values/utf8_text.hpp"

namespace fanout::plugin {

namespace {

void find_varlena(Datum datum, FoundValue* value) {
    // Copies only what is compressed or was reassembled from TOAST chunks.
    auto* stored = reinterpret_cast<struct varlena*>(DatumGetPointer(datum));
    if (unlikely(VARATT_IS_COMPRESSED(stored) || VARATT_IS_EXTERNAL(stored))) {
        stored = pg_detoast_datum_packed(stored);
    }
    value->data = VARDATA_ANY(stored);
    value->size = static_cast<uint32>(VARSIZE_ANY_EXHDR(stored));
}

void find_text(const char* text, FoundValue* value) {
    value->data = text;
    value->size = static_cast<uint32>(strlen(text));
}

void convert(FoundValue* value) {
    const Utf8Text text = to_utf8(static_cast<const char*>(value->data), value->size);
    value->data = text.data;
    value->size = static_cast<uint32>(text.size);
}

/// Fills in where the bytes of a present value are.
void find_bytes(ColumnPlan* column, Access access, Datum datum, FoundValue* value) {
    switch (access) {
        case Access::by_value:
            // Little-endian: the value's bytes are the Datum's first.
            value->datum = datum;
            value->data = &value->datum;
            value->size = column->value.width;
            return;
        case Access::by_reference:
            value->data = DatumGetPointer(datum);
            value->size = column->value.width;
            return;
        case Access::varlena:
            return find_varlena(datum, value);
        case Access::name:
            return find_text(NameStr(*DatumGetName(datum)), value);
        case Access::output:
            return find_text(OutputFunctionCall(&column->output, datum), value);
        case Access::varlena_to_utf8:
            find_varlena(datum, value);
            return convert(value);
        case Access::name_to_utf8:
            find_text(NameStr(*DatumGetName(datum)), value);
            return convert(value);
        case Access::output_to_utf8:
            find_text(OutputFunctionCall(&column->output, datum), value);
            return convert(value);
        case Access::masked:
            return find_bytes(column, column->masked_access, mask_value(column->mask, datum),
                              value);
    }
}

}  // namespace

uint64 find_values(const Projection* projection, const RowImage& image, ImageKind kind,
                   FoundValue* found) {
    uint64 size = 0;
    for (int i = 0; i < projection->column_count; ++i) {
        ColumnPlan* column = &projection->columns[i];
        FoundValue* value = &found[i];
        size += sizeof(wire::Tag);
        if (kind == ImageKind::key && (column->flags & wire::kColumnKey) == 0) {
            value->tag = wire::Tag::absent;
        } else if (image.nulls[column->attribute]) {
            value->tag = wire::Tag::null;
        } else if (is_unchanged_toast(column->value, image.values[column->attribute])) {
            value->tag = wire::Tag::unchanged;
        } else {
            value->tag = wire::Tag::present;
            find_bytes(column, column->value.access, image.values[column->attribute], value);
            const bool fixed = column->value.value_class == wire::ValueClass::fixed;
            size += value->size + (fixed ? 0 : sizeof(uint32));
        }
    }
    return size;
}

}  // namespace fanout::plugin
