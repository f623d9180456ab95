// Masks for SQL: copies of existing rows get theirs by query.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/values/mask.hpp"

using namespace fanout::plugin;

namespace {

/// Made for the first row of a query, from the arguments that all rows share.
const Mask* mask_of_call(FunctionCallInfo fcinfo) {
    auto* mask = static_cast<Mask*>(fcinfo->flinfo->fn_extra);
    if (mask != nullptr) return mask;
    const char* name = text_to_cstring(PG_GETARG_TEXT_PP(1));
    const Oid type = get_fn_expr_argtype(fcinfo->flinfo, 0);
    const int32 typmod = PG_GETARG_INT32(2);
    MaskKind kind{};
    if (!parse_mask_kind(name, &kind) || why_not_masked(kind, type, typmod) != nullptr) {
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("there is no mask \"%s\" for the type %s", name, format_type_be(type))));
    }
    MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
    const bytea* secret = PG_ARGISNULL(3) ? nullptr : PG_GETARG_BYTEA_P_COPY(3);
    mask = make_mask(kind, type, typmod, secret);
    MemoryContextSwitchTo(caller);
    fcinfo->flinfo->fn_extra = mask;
    return mask;
}

}  // namespace

FANOUT_SQL_FUNCTION(fanout_mask) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) {
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a mask is null")));
    }
    if (PG_ARGISNULL(0)) PG_RETURN_NULL();
    const Mask* mask = mask_of_call(fcinfo);
    if (mask->kind == MaskKind::null) PG_RETURN_NULL();
    PG_RETURN_DATUM(mask_value(mask, PG_GETARG_DATUM(0)));
}
