// The table of built-in types whose stored form is carried as it is. A type belongs here only if
// that form is fixed for good: documented, or so old that pg_upgrade depends on it. Everything that
// is not named goes through its output function.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/values/value_plan.hpp"
//
#include "pg_extension/values/utf8_text.hpp"

namespace fanout::plugin {

namespace {

using wire::ValueClass;

struct FixedType {
    Oid type;
    uint16 width;
    Access access;
    JsonForm json;
};

constexpr FixedType kFixedTypes[] = {
    {BOOLOID, 1, Access::by_value, JsonForm::boolean},
    {CHAROID, 1, Access::by_value, JsonForm::string},
    {INT2OID, 2, Access::by_value, JsonForm::number},
    {INT4OID, 4, Access::by_value, JsonForm::number},
    {INT8OID, 8, Access::by_value, JsonForm::number},
    {FLOAT4OID, 4, Access::by_value, JsonForm::number},
    {FLOAT8OID, 8, Access::by_value, JsonForm::number},
    {OIDOID, 4, Access::by_value, JsonForm::number},
    {XIDOID, 4, Access::by_value, JsonForm::string},
    {XID8OID, 8, Access::by_value, JsonForm::string},
    {DATEOID, 4, Access::by_value, JsonForm::string},
    {TIMEOID, 8, Access::by_value, JsonForm::string},
    {TIMESTAMPOID, 8, Access::by_value, JsonForm::string},
    {TIMESTAMPTZOID, 8, Access::by_value, JsonForm::string},
    {CASHOID, 8, Access::by_value, JsonForm::string},
    {PG_LSNOID, 8, Access::by_value, JsonForm::string},
    {TIMETZOID, 12, Access::by_reference, JsonForm::string},
    {INTERVALOID, 16, Access::by_reference, JsonForm::string},
    {UUIDOID, 16, Access::by_reference, JsonForm::string},
    {MACADDROID, 6, Access::by_reference, JsonForm::string},
    {MACADDR8OID, 8, Access::by_reference, JsonForm::string},
    {POINTOID, 16, Access::by_reference, JsonForm::string},
};

struct PayloadType {
    Oid type;
    JsonForm json;
};

constexpr PayloadType kPayloadTypes[] = {
    {TEXTOID, JsonForm::string}, {VARCHAROID, JsonForm::string}, {BPCHAROID, JsonForm::string},
    {XMLOID, JsonForm::string},  {BYTEAOID, JsonForm::base64},   {JSONOID, JsonForm::embedded},
};

ValuePlan plan_as_stored(Oid type) {
    const Oid base = getBaseType(type);
    for (const FixedType& fixed : kFixedTypes) {
        if (fixed.type != base) continue;
        return {ValueClass::fixed, fixed.access, fixed.json, false, fixed.width};
    }
    for (const PayloadType& payload : kPayloadTypes) {
        if (payload.type != base) continue;
        return {ValueClass::bytes, Access::varlena, payload.json, true, 0};
    }
    if (base == NUMERICOID) {
        return {ValueClass::numeric, Access::varlena, JsonForm::number, true, 0};
    }
    if (base == NAMEOID) {
        return {ValueClass::bytes, Access::name, JsonForm::string, false, 0};
    }
    const JsonForm json = base == JSONBOID ? JsonForm::embedded : JsonForm::string;
    return {ValueClass::text, Access::output, json, get_typlen(base) == -1, 0};
}

}  // namespace

ValuePlan plan_value(Oid type) {
    ValuePlan plan = plan_as_stored(type);
    if (!database_needs_conversion()) return plan;
    if (plan.access == Access::output) plan.access = Access::output_to_utf8;
    if (plan.access == Access::name) plan.access = Access::name_to_utf8;
    const bool is_text = plan.value_class == ValueClass::bytes && plan.json != JsonForm::base64;
    if (plan.access == Access::varlena && is_text) plan.access = Access::varlena_to_utf8;
    return plan;
}

}  // namespace fanout::plugin
