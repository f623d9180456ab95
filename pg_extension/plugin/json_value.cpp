#include "pg_extension/pg.hpp"
//
#include "pg_extension/plugin/json_value.hpp"

extern "C" {
#include "common/base64.h"
#include "utils/datetime.h"
}

namespace fanout::json_face {

namespace {

/// JSON has no NaN and no infinities; those texts begin with a letter behind the sign.
bool is_json_number(const char* text) {
    const char* digits = *text == '-' ? text + 1 : text;
    return *digits >= '0' && *digits <= '9';
}

void write_bytea(StringInfo out, Datum value) {
    struct varlena* bytes =
        pg_detoast_datum_packed(reinterpret_cast<struct varlena*>(DatumGetPointer(value)));
    write_base64(out, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

/// Domains are written as the type below them.
char* text_form(Oid type, Datum value) {
    Oid function = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(type, &function, &is_varlena);
    if (is_varlena) {
        value = PointerGetDatum(
            pg_detoast_datum(reinterpret_cast<struct varlena*>(DatumGetPointer(value))));
    }
    return OidOutputFunctionCall(function, value);
}

}  // namespace

void write_value(StringInfo out, Oid type, Datum value, bool is_null) {
    if (is_null) {
        appendStringInfoString(out, "null");
        return;
    }
    const Oid base = getBaseType(type);
    if (base == BYTEAOID) {
        write_bytea(out, value);
        return;
    }
    char* text = text_form(base, value);
    switch (base) {
        case BOOLOID:
            appendStringInfoString(out, *text == 't' ? "true" : "false");
            return;
        case JSONOID:
        case JSONBOID:
            appendStringInfoString(out, text);
            return;
        case INT2OID:
        case INT4OID:
        case INT8OID:
        case OIDOID:
        case FLOAT4OID:
        case FLOAT8OID:
        case NUMERICOID:
            if (is_json_number(text)) {
                appendStringInfoString(out, text);
                return;
            }
            break;
        default:
            break;
    }
    escape_json(out, text);
}

void write_base64(StringInfo out, const char* data, Size size) {
    const int room = pg_b64_enc_len(static_cast<int>(size));
    appendStringInfoChar(out, '"');
    enlargeStringInfo(out, room);
    const int written = pg_b64_encode(data, static_cast<int>(size), out->data + out->len, room);
    if (written < 0) elog(ERROR, "could not encode %zu bytes as base64", size);
    out->len += written;
    out->data[out->len] = '\0';
    appendStringInfoChar(out, '"');
}

void write_time(StringInfo out, TimestampTz time) {
    constexpr int64 kMicrosecondsPerDay = INT64CONST(86400000000);
    int64 days = time / kMicrosecondsPerDay;
    int64 rest = time % kMicrosecondsPerDay;
    if (rest < 0) {
        rest += kMicrosecondsPerDay;
        --days;
    }
    int year = 0, month = 0, day = 0;
    j2date(static_cast<int>(days) + POSTGRES_EPOCH_JDATE, &year, &month, &day);
    const int64 seconds = rest / 1000000;
    appendStringInfo(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"", year, month, day,
                     static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
                     static_cast<int>(seconds % 60), static_cast<int>(rest % 1000000));
}

}  // namespace fanout::json_face
