// What each type becomes in a line of JSON: the table of the connectors that write JSON.
#pragma once

#include "_kit/stored_types.hpp"
#include "_kit/type_mapping.hpp"

namespace fanout::kit {

enum class JsonForm : std::uint8_t {
    boolean,
    int2,
    int4,
    int8,
    oid,
    number,    // the text form is a number, unless it is NaN or infinite
    base64,    // bytea
    document,  // json, jsonb: embedded as they are
    payload,   // the value's bytes are its text
    text,      // the text form, quoted
    plain,     // as text, of a type whose text never needs an escape; chosen by the encoder
};

inline constexpr std::string_view kNoNumber = "NaN and infinities are no JSON numbers";
inline constexpr std::string_view kMayNotBeUtf8 =
    "bytes that are not UTF-8 (see below) are no JSON string";

inline constexpr std::string_view kXmlAsStored =
    "as it is stored, XML declaration included; the text is UTF-8 whatever that says";

inline constexpr TypeMapping<JsonForm> kJsonTypes[] = {
    {type_oid::kBool, JsonForm::boolean, "true, false", Fidelity::exact, ""},
    {type_oid::kInt2, JsonForm::int2, "number", Fidelity::exact, ""},
    {type_oid::kInt4, JsonForm::int4, "number", Fidelity::exact, ""},
    {type_oid::kInt8, JsonForm::int8, "number", Fidelity::exact,
     "all digits; a reader that takes numbers for doubles loses those beyond 2^53"},
    {type_oid::kOid, JsonForm::oid, "number", Fidelity::exact, ""},
    {type_oid::kFloat4, JsonForm::number, "number", Fidelity::policy, kNoNumber},
    {type_oid::kFloat8, JsonForm::number, "number", Fidelity::policy, kNoNumber},
    {type_oid::kNumeric, JsonForm::number, "number", Fidelity::policy, kNoNumber},
    {type_oid::kBytea, JsonForm::base64, "string, base64", Fidelity::exact, ""},
    {type_oid::kJson, JsonForm::document, "the value itself", Fidelity::exact,
     "line breaks between its parts become spaces; the JSON null and NULL look alike"},
    {type_oid::kJsonb, JsonForm::document, "the value itself", Fidelity::exact,
     "the JSON null and NULL look alike"},
    {type_oid::kText, JsonForm::payload, "string", Fidelity::policy, kMayNotBeUtf8},
    {type_oid::kVarchar, JsonForm::payload, "string", Fidelity::policy, kMayNotBeUtf8},
    {type_oid::kBpchar, JsonForm::payload, "string", Fidelity::policy, kMayNotBeUtf8},
    {type_oid::kName, JsonForm::payload, "string", Fidelity::policy, kMayNotBeUtf8},
    {type_oid::kXml, JsonForm::payload, "string", Fidelity::policy, kXmlAsStored},
    {0, JsonForm::text, "string", Fidelity::text, kMayNotBeUtf8},
};

}  // namespace fanout::kit
