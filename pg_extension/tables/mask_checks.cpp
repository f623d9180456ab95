// Which masks a table's columns can have.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/projection.hpp"

namespace fanout::plugin {

namespace {

[[noreturn]] void refuse(Relation relation, const char* column, const char* reason,
                         const char* hint) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("column \"%s\" of %s cannot be masked so", column,
                           RelationGetRelationName(relation)),
                    errdetail("%s", reason), errhint("%s", hint)));
    pg_unreachable();
}

bool is_listed(const TableEntry& entry, const char* column) {
    for (int i = 0; i < entry.column_count; ++i) {
        if (strcmp(entry.columns[i], column) == 0) return true;
    }
    return entry.column_count == 0;
}

void check_mask(Relation relation, const TableEntry& entry, const ColumnMask& mask,
                const Bitmapset* keys) {
    const AttrNumber number = get_attnum(RelationGetRelid(relation), mask.column);
    if (number <= 0) {
        refuse(relation, mask.column, "There is no such column.",
               "Name columns in their exact case.");
    }
    Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), number - 1);
    if (!is_listed(entry, mask.column) || !server::is_stored(attribute)) {
        refuse(relation, mask.column, "It is not carried.", "Leave the mask out.");
    }
    if (bms_is_member(number, keys) && mask.kind != MaskKind::hash) {
        refuse(relation, mask.column, "Rows are found by it.",
               "Hash it: rows stay apart by their hashes.");
    }
    if (mask.kind == MaskKind::null && attribute->attnotnull) {
        refuse(relation, mask.column, "It is NOT NULL.",
               "Redact it, or leave it out of \"columns\".");
    }
    const char* reason = why_not_masked(mask.kind, attribute->atttypid, attribute->atttypmod);
    if (reason != nullptr) {
        refuse(relation, mask.column, reason,
               "Use \"redact\" or \"null\", or leave the column out.");
    }
}

/// What is computed from a masked value would tell it.
void check_generated(Relation relation, const TableEntry& entry, const MaskByNumber* masks) {
    TupleDesc shape = RelationGetDescr(relation);
    for (int i = 0; i < shape->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        const char* name = NameStr(attribute->attname);
        if (attribute->attisdropped || attribute->attgenerated == '\0' ||
            !server::is_stored(attribute) || masks[attribute->attnum] != 0 ||
            !is_listed(entry, name)) {
            continue;
        }
        Bitmapset* used = nullptr;
        pull_varattnos(build_column_default(relation, attribute->attnum), 1, &used);
        for (int at = -1; (at = bms_next_member(used, at)) >= 0;) {
            const int number = at + FirstLowInvalidHeapAttributeNumber;
            if (number <= 0 || masks[number] == 0) continue;
            refuse(relation, NameStr(TupleDescAttr(shape, number - 1)->attname),
                   psprintf("The generated column \"%s\" is computed from it.", name),
                   "Mask that column too, or leave it out of \"columns\".");
        }
    }
}

}  // namespace

MaskByNumber* check_masks(Relation relation, const TableEntry& entry) {
    if (entry.masks == nullptr) return nullptr;
    const Bitmapset* keys = key_columns(relation);
    auto* masks = static_cast<MaskByNumber*>(
        palloc0(static_cast<Size>(RelationGetDescr(relation)->natts) + 1));
    for (int i = 0; i < entry.mask_count; ++i) {
        check_mask(relation, entry, entry.masks[i], keys);
        const AttrNumber number = get_attnum(RelationGetRelid(relation), entry.masks[i].column);
        masks[number] = as_mask_number(entry.masks[i].kind);
    }
    check_generated(relation, entry, masks);
    return masks;
}

}  // namespace fanout::plugin
