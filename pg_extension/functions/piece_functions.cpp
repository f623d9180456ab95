// fanout._stored_bytes and fanout._pieces: how a copy of existing rows reads a value that is too
// large for its row.
//
// The bytes are the stream's, whatever the type: value_plan.cpp decides. A value that stands in
// TOAST as it is, is read piece by piece; any other is put together once, as decoding does.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/values/utf8_text.hpp"
#include "pg_extension/values/value_plan.hpp"

using namespace fanout::plugin;

namespace {

/// Lives as long as the query's row.
struct Pieces {
    struct varlena* in_toast;  // null: all of it is in `data`
    const char* data;
    Size size;
    Size next;
    bool begun;
};

bool is_shown(const ValuePlan& plan) {
    return plan.access == Access::output || plan.access == Access::output_to_utf8;
}

/// Of the first argument: stored as a varlena, or if `or_shown`, with a text of any length.
/// Anything else would be taken for a pointer. Looks into the catalogs, so once in a query.
Oid type_of_value(FunctionCallInfo fcinfo, bool or_shown) {
    const Oid type = get_fn_expr_argtype(fcinfo->flinfo, 0);
    const bool fits =
        OidIsValid(type) && (get_typlen(type) == -1 || (or_shown && is_shown(plan_value(type))));
    if (!fits) {
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("values of type %s have no variable length",
                               OidIsValid(type) ? format_type_be(type) : "unknown"),
                        errhint("Give a column of a type with a variable length.")));
    }
    return type;
}

void put_together(Pieces* pieces, Oid type, Datum value) {
    const ValuePlan plan = plan_value(type);
    if (is_shown(plan)) {
        Oid output = InvalidOid;
        bool is_varlena = false;
        getTypeOutputInfo(getBaseType(type), &output, &is_varlena);
        pieces->data = OidOutputFunctionCall(output, value);
        pieces->size = strlen(pieces->data);
    } else {
        const struct varlena* whole =
            pg_detoast_datum_copy(reinterpret_cast<struct varlena*>(DatumGetPointer(value)));
        pieces->data = VARDATA(whole);
        pieces->size = VARSIZE(whole) - VARHDRSZ;
    }
    if (plan.access != Access::output_to_utf8 && plan.access != Access::varlena_to_utf8) return;
    const Utf8Text text = to_utf8(pieces->data, pieces->size);
    pieces->data = text.data;
    pieces->size = text.size;
}

Pieces* begin_pieces(Oid type, Datum value) {
    auto* pieces = static_cast<Pieces*>(palloc0(sizeof(Pieces)));
    const auto* stored = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
    if (plan_value(type).access == Access::varlena && VARATT_IS_EXTERNAL_ONDISK(stored)) {
        struct varatt_external pointer;
        VARATT_EXTERNAL_GET_POINTER(pointer, stored);
        if (!fanout::server::is_compressed_in_toast(pointer)) {
            pieces->in_toast = static_cast<struct varlena*>(palloc(VARSIZE_EXTERNAL(stored)));
            memcpy(pieces->in_toast, stored, VARSIZE_EXTERNAL(stored));
            pieces->size = static_cast<Size>(pointer.va_rawsize) - VARHDRSZ;
            return pieces;
        }
    }
    put_together(pieces, type, value);
    return pieces;
}

bytea* next_piece(Pieces* pieces, Size bytes_max) {
    const Size size = Min(bytes_max, pieces->size - pieces->next);
    bytea* piece = nullptr;
    if (pieces->in_toast != nullptr) {
        piece = detoast_attr_slice(pieces->in_toast, static_cast<int32>(pieces->next),
                                   static_cast<int32>(size));
    } else {
        piece = static_cast<bytea*>(palloc(VARHDRSZ + size));
        SET_VARSIZE(piece, VARHDRSZ + size);
        memcpy(VARDATA(piece), pieces->data + pieces->next, size);
    }
    pieces->next += size;
    pieces->begun = true;
    return piece;
}

}  // namespace

/// Without reading it: what its header, or its pointer into TOAST, says.
FANOUT_SQL_FUNCTION(fanout_stored_bytes) {
    if (unlikely(fcinfo->flinfo->fn_extra == nullptr)) {
        (void)type_of_value(fcinfo, false);
        fcinfo->flinfo->fn_extra = fcinfo->flinfo;
    }
    PG_RETURN_INT64(static_cast<int64>(toast_raw_datum_size(PG_GETARG_DATUM(0))) - VARHDRSZ);
}

FANOUT_SQL_FUNCTION(fanout_pieces) {
    if (PG_GETARG_INT32(1) <= 0) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a piece has at least one byte")));
    }
    if (SRF_IS_FIRSTCALL()) {
        const Oid type = type_of_value(fcinfo, true);
        FuncCallContext* first = SRF_FIRSTCALL_INIT();
        MemoryContext caller = MemoryContextSwitchTo(first->multi_call_memory_ctx);
        first->user_fctx = begin_pieces(type, PG_GETARG_DATUM(0));
        MemoryContextSwitchTo(caller);
    }
    FuncCallContext* call = SRF_PERCALL_SETUP();
    auto* pieces = static_cast<Pieces*>(call->user_fctx);
    // Also a value without a byte is a value.
    if (pieces->begun && pieces->next == pieces->size) SRF_RETURN_DONE(call);
    const bytea* piece = next_piece(pieces, static_cast<Size>(PG_GETARG_INT32(1)));
    SRF_RETURN_NEXT(call, PointerGetDatum(piece));
}
