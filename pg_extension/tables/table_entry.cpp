// The JSON form, by the server's own jsonb.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/tables/table_entry.hpp"

namespace fanout::plugin {

namespace {

[[noreturn]] void refuse(const char* text, const char* reason) {
    ereport(
        ERROR,
        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("table entry %s is malformed", text),
         errdetail("%s", reason),
         errhint(
             "Write a pattern, or a JSON object such as {\"table\": \"public.orders\", "
             "\"where\": \"total > 100\", \"columns\": [\"id\", \"total\"], \"masks\": {\"note\": "
             "\"redact\"}}; all but \"table\" may be left out.")));
    pg_unreachable();
}

const char* string_of(const JsonbValue& value) {
    return pnstrdup(value.val.string.val, static_cast<Size>(value.val.string.len));
}

/// The iterator stands behind the opening bracket.
void take_columns(const char* text, JsonbIterator** iterator, TableEntry* entry) {
    const auto room = static_cast<Size>(MaxHeapAttributeNumber);
    const auto** columns = static_cast<const char**>(palloc(sizeof(char*) * room));
    JsonbValue value;
    while (JsonbIteratorNext(iterator, &value, true) == WJB_ELEM) {
        if (value.type != jbvString) refuse(text, "\"columns\" holds something but names.");
        if (entry->column_count == MaxHeapAttributeNumber) refuse(text, "It has too many columns.");
        columns[entry->column_count++] = string_of(value);
    }
    if (entry->column_count == 0) refuse(text, "\"columns\" is empty.");
    entry->columns = columns;
}

void take_masks(const char* text, JsonbIterator** iterator, TableEntry* entry) {
    const auto room = static_cast<Size>(MaxHeapAttributeNumber);
    auto* masks = static_cast<ColumnMask*>(palloc(sizeof(ColumnMask) * room));
    JsonbValue value;
    while (JsonbIteratorNext(iterator, &value, true) == WJB_KEY) {
        if (entry->mask_count == MaxHeapAttributeNumber) refuse(text, "It has too many masks.");
        ColumnMask* mask = &masks[entry->mask_count++];
        mask->column = string_of(value);
        (void)JsonbIteratorNext(iterator, &value, true);
        if (value.type != jbvString || !parse_mask_kind(string_of(value), &mask->kind)) {
            refuse(text, psprintf("The mask of \"%s\" is none of null, redact, hash and last4.",
                                  mask->column));
        }
    }
    if (entry->mask_count == 0) refuse(text, "\"masks\" is empty.");
    entry->masks = masks;
}

const char* required_string(const char* text, const JsonbValue& value, const char* reason) {
    if (value.type != jbvString || value.val.string.len == 0) refuse(text, reason);
    return string_of(value);
}

/// Returns the pattern's text.
const char* take_members(const char* text, Jsonb* object, TableEntry* entry) {
    JsonbIterator* iterator = JsonbIteratorInit(&object->root);
    JsonbValue value;
    const char* pattern = nullptr;
    if (JsonbIteratorNext(&iterator, &value, false) != WJB_BEGIN_OBJECT) {
        refuse(text, "It is not a JSON object.");
    }
    while (JsonbIteratorNext(&iterator, &value, false) == WJB_KEY) {
        const char* key = string_of(value);
        const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &value, false);
        if (strcmp(key, "columns") == 0) {
            if (token != WJB_BEGIN_ARRAY || value.val.array.rawScalar) {
                refuse(text, "\"columns\" is not an array of names.");
            }
            take_columns(text, &iterator, entry);
        } else if (strcmp(key, "masks") == 0) {
            if (token != WJB_BEGIN_OBJECT) refuse(text, "\"masks\" is not an object.");
            take_masks(text, &iterator, entry);
        } else if (strcmp(key, "table") == 0 && token == WJB_VALUE) {
            pattern = required_string(text, value, "\"table\" is not a pattern.");
        } else if (strcmp(key, "where") == 0 && token == WJB_VALUE) {
            entry->where = required_string(text, value, "\"where\" is not an expression.");
        } else {
            refuse(text, psprintf("\"%s\" is not known, or not a string.", key));
        }
    }
    if (pattern == nullptr) refuse(text, "\"table\" is missing.");
    return pattern;
}

}  // namespace

void parse_table_entry(const char* text, TableEntry* entry) {
    *entry = {};
    if (text[0] != '{') {
        parse_table_pattern(text, &entry->pattern);
        return;
    }
    Jsonb* object =
        DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(const_cast<char*>(text))));
    parse_table_pattern(take_members(text, object, entry), &entry->pattern);
}

int deciding_entry(const TableEntry* entries, int count, const char* schema, const char* table) {
    int decides = -1;
    for (int i = 0; i < count; ++i) {
        const bool by_name = entries[i].pattern.kind == TablePattern::Kind::table;
        if (decides >= 0 && !by_name) continue;
        if (!matches(entries[i].pattern, schema, table)) continue;
        if (by_name) return i;
        decides = i;
    }
    return decides;
}

}  // namespace fanout::plugin
