// How the entries of a subscription's list of tables apply to a table, for SQL.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/projection.hpp"
#include "pg_extension/tables/utf8_text.hpp"

using namespace fanout::plugin;

namespace {

const char* const* texts_of(ArrayType* array, int* count) {
    Datum* elements = nullptr;
    bool* nulls = nullptr;
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, count);
    auto** texts = static_cast<const char**>(palloc(sizeof(char*) * static_cast<Size>(*count + 1)));
    for (int i = 0; i < *count; ++i)
        texts[i] = nulls[i] ? "" : TextDatumGetCString(elements[i]);
    return texts;
}

Datum column_names(Relation relation, const Bitmapset* columns) {
    TupleDesc shape = RelationGetDescr(relation);
    auto* names = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(shape->natts + 1)));
    int count = 0;
    for (int i = -1; (i = bms_next_member(columns, i)) >= 0;)
        names[count++] = CStringGetTextDatum(NameStr(TupleDescAttr(shape, i - 1)->attname));
    return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

}  // namespace

FANOUT_SQL_FUNCTION(fanout_deciding_entry) {
    int count = 0;
    const char* const* texts = texts_of(PG_GETARG_ARRAYTYPE_P(0), &count);
    auto* entries =
        static_cast<TableEntry*>(palloc0(sizeof(TableEntry) * static_cast<Size>(count + 1)));
    for (int i = 0; i < count; ++i)
        parse_table_entry(texts[i], &entries[i]);
    const int place = deciding_entry(entries, count, text_to_cstring(PG_GETARG_TEXT_PP(1)),
                                     text_to_cstring(PG_GETARG_TEXT_PP(2)));
    if (place < 0) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(texts[place]));
}

FANOUT_SQL_FUNCTION(fanout_entry_for) {
    TableEntry entry;
    parse_table_entry(text_to_cstring(PG_GETARG_TEXT_PP(0)), &entry);
    TupleDesc shape = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE) {
        elog(ERROR, "the function is not declared to return a row");
    }
    Relation relation = table_open(PG_GETARG_OID(1), AccessShareLock);
    Datum values[2] = {};
    bool nulls[2] = {true, true};
    const Bitmapset* columns = check_columns(relation, entry);
    if (columns != nullptr) {
        values[0] = column_names(relation, columns);
        nulls[0] = false;
    }
    if (entry.where != nullptr) {
        const CheckedExpression checked = check_predicate(relation, entry.where);
        check_predicate_columns(relation, checked.columns);
        (void)compile_predicate(relation, checked);
        values[1] = CStringGetTextDatum(predicate_text(relation, checked));
        nulls[1] = false;
    }
    table_close(relation, AccessShareLock);
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}

FANOUT_SQL_FUNCTION(fanout_check_predicate) {
    if (PG_ARGISNULL(1)) PG_RETURN_NULL();
    if (PG_ARGISNULL(0)) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("the table of a predicate does not exist")));
    }
    Relation relation = table_open(PG_GETARG_OID(0), AccessShareLock);
    const CheckedExpression checked =
        check_predicate(relation, text_to_cstring(PG_GETARG_TEXT_PP(1)));
    (void)compile_predicate(relation, checked);
    text* shown = cstring_to_text(predicate_text(relation, checked));
    table_close(relation, AccessShareLock);
    PG_RETURN_TEXT_P(shown);
}

FANOUT_SQL_FUNCTION(fanout_utf8) {
    const struct varlena* stored = PG_GETARG_VARLENA_PP(0);
    const Utf8Text shown = to_utf8(VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored));
    auto* bytes = static_cast<bytea*>(palloc(VARHDRSZ + shown.size));
    SET_VARSIZE(bytes, VARHDRSZ + shown.size);
    memcpy(VARDATA(bytes), shown.data, shown.size);
    PG_RETURN_BYTEA_P(bytes);
}
