// Deform, judge, name.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/plugin/row_choice.hpp"
//
#include "pg_extension/plugin/tuple_encoder.hpp"

namespace fanout::plugin {

namespace {

using Kind = RowChoice::Kind;

const RowImage* deform(Relation relation, HeapTuple tuple, const RowImage* image) {
    if (tuple == nullptr) return nullptr;
    heap_deform_tuple(tuple, RelationGetDescr(relation), image->values, image->nulls);
    return image;
}

bool is_unchanged(TupleDesc shape, const RowImage* image, int column) {
    return !image->nulls[column] && TupleDescAttr(shape, column)->attlen == -1 &&
           VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(image->values[column]));
}

/// An unchanged TOASTed value is in the old row only: of a key, or with identity full.
const RowImage* complete(TupleDesc shape, const RowImage* before, const RowImage* after,
                         const RowImage* room) {
    bool copied = false;
    for (int i = 0; i < shape->natts; ++i) {
        if (!is_unchanged(shape, after, i) || before->nulls[i]) continue;
        if (!copied) {
            const auto columns = static_cast<Size>(shape->natts);
            memcpy(room->values, after->values, columns * sizeof(Datum));
            memcpy(room->nulls, after->nulls, columns * sizeof(bool));
            copied = true;
        }
        room->values[i] = before->values[i];
    }
    return copied ? room : after;
}

const RowImage* map_image(const Above* above, const RowImage& from, const RowImage* to) {
    for (int i = 0; i < above->entry->attributes; ++i) {
        to->values[i] = from.values[above->attributes[i]];
        to->nulls[i] = from.nulls[above->attributes[i]];
    }
    return to;
}

/// By what the row was and what it is.
Kind kind_of_update(Truth before, Truth after) {
    if (before == Truth::unknown || after == Truth::unknown) return Kind::unjudged;
    if (before == Truth::yes) return after == Truth::yes ? Kind::update : Kind::remove;
    return after == Truth::yes ? Kind::insert : Kind::none;
}

Truth judge_row(const Projection* projection, const RowImage* image) {
    return holds(projection->predicate, image->values, image->nulls);
}

RowChoice choose_by_one(const Projection* projection, const RowImage* judged, Kind wanted,
                        const RowChange& row) {
    const Truth truth = judge_row(projection, judged);
    if (truth == Truth::unknown) return {Kind::unjudged, row.before, row.after};
    return {truth == Truth::yes ? wanted : Kind::none, row.before, row.after};
}

}  // namespace

RowChange deform_change(RelationEntry* entry, Relation relation,
                        const ReorderBufferChange* change) {
    RowChange row{};
    row.is_insert = change->action == REORDER_BUFFER_CHANGE_INSERT;
    row.before = deform(relation, server::old_tuple(change), &entry->images[0]);
    row.full = row.after = deform(relation, server::new_tuple(change), &entry->images[1]);
    if (likely(!entry->selective) || row.before == nullptr || row.after == nullptr) return row;
    row.full = complete(RelationGetDescr(relation), row.before, row.after, &entry->images[2]);
    return row;
}

RowChange as_above(const Above* above, const RowChange& row) {
    RowChange mapped{row.is_insert, nullptr, nullptr, nullptr};
    if (row.before != nullptr) mapped.before = map_image(above, *row.before, &above->images[0]);
    if (row.after != nullptr) mapped.after = map_image(above, *row.after, &above->images[1]);
    mapped.full =
        row.full == row.after ? mapped.after : map_image(above, *row.full, &above->images[2]);
    return mapped;
}

RowChoice choose_row(const Projection* projection, const RowChange& row) {
    const bool remove = row.after == nullptr;
    if (projection->predicate == nullptr || (remove && row.before == nullptr)) {
        // Without any image of a deleted row there is nothing to judge by.
        const Kind kind = remove ? Kind::remove : Kind::update;
        return {row.is_insert ? Kind::insert : kind, row.before, row.after};
    }
    if (row.is_insert) return choose_by_one(projection, row.after, Kind::insert, row);
    if (remove) return choose_by_one(projection, row.before, Kind::remove, row);
    // The key did not change, and the predicate looks at nothing else.
    if (row.before == nullptr) return choose_by_one(projection, row.after, Kind::update, row);
    const Truth before = judge_row(projection, row.before);
    const char* error = projection->predicate->error;
    const Truth after = judge_row(projection, row.full);
    if (before == Truth::unknown) projection->predicate->error = error;
    const Kind kind = kind_of_update(before, after);
    return {kind, row.before, kind == Kind::insert ? row.full : row.after};
}

const char* describe_key(const Projection* projection, const RowChoice& choice) {
    StringInfoData names;
    StringInfoData values;
    initStringInfo(&names);
    initStringInfo(&values);
    const uint8 flag =
        projection->identity == wire::Identity::full ? wire::kColumnPrimaryKey : wire::kColumnKey;
    const RowImage* image = choice.after != nullptr ? choice.after : choice.before;
    for (int i = 0; i < projection->column_count; ++i) {
        ColumnPlan* column = &projection->columns[i];
        if ((column->flags & flag) == 0) continue;
        const char* comma = names.len > 0 ? ", " : "";
        const bool is_null = image->nulls[column->attribute];
        const Datum value = image->values[column->attribute];
        appendStringInfo(&names, "%s%s", comma, column->name);
        if (is_null || column->mask != nullptr || is_unchanged_toast(column->value, value)) {
            appendStringInfo(&values, "%s?", comma);
        } else {
            appendStringInfo(&values, "%s%s", comma, OutputFunctionCall(&column->output, value));
        }
    }
    return names.len > 0 ? psprintf("(%s)=(%s)", names.data, values.data) : "a row without a key";
}

}  // namespace fanout::plugin
