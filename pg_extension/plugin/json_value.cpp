// Values by their JSON form.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/plugin/json_value.hpp"

namespace fanout::plugin {

namespace {

/// "12.50" and "1e+20" are JSON numbers as they stand; NaN and the infinities are not.
bool is_json_number(const char* shown) {
    const char* first = *shown == '-' ? shown + 1 : shown;
    return *first >= '0' && *first <= '9';
}

/// A line break in a JSON text can only stand between its tokens, where a space does as well.
void append_document(StringInfo out, char* shown) {
    for (char* at = shown; *at != '\0'; ++at) {
        if (*at == '\n' || *at == '\r') *at = ' ';
    }
    appendStringInfoString(out, shown);
}

}  // namespace

void append_json_value(StringInfo out, ColumnPlan* column, Datum datum, bool is_null) {
    if (is_null) {
        appendStringInfoString(out, "null");
        return;
    }
    if (column->value.json == JsonForm::base64) {
        const struct varlena* stored = PG_DETOAST_DATUM_PACKED(datum);
        append_json_base64(out, VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored));
        return;
    }
    char* shown = OutputFunctionCall(&column->output, datum);
    switch (column->value.json) {
        case JsonForm::boolean:
            appendStringInfoString(out, *shown == 't' ? "true" : "false");
            return;
        case JsonForm::embedded:
            append_document(out, shown);
            return;
        case JsonForm::number:
            if (is_json_number(shown)) {
                appendStringInfoString(out, shown);
                return;
            }
            break;
        default:
            break;
    }
    escape_json(out, shown);
}

void append_json_base64(StringInfo out, const char* data, Size size) {
    const int room = pg_b64_enc_len(static_cast<int>(size));
    auto* encoded = static_cast<char*>(palloc(static_cast<Size>(room) + 1));
    const int length = server::encode_base64(data, static_cast<int>(size), encoded, room);
    if (length < 0) elog(ERROR, "could not encode as base64");
    appendStringInfoChar(out, '"');
    appendBinaryStringInfo(out, encoded, length);
    appendStringInfoChar(out, '"');
}

void append_json_time(StringInfo out, TimestampTz time) {
    struct pg_tm fields;
    fsec_t micros = 0;
    if (timestamp2tm(time, nullptr, &fields, &micros, nullptr, nullptr) != 0) {
        elog(ERROR, "a commit time is out of range");
    }
    appendStringInfo(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"", fields.tm_year, fields.tm_mon,
                     fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec,
                     static_cast<int>(micros));
}

}  // namespace fanout::plugin
