// How the values of one column travel: decided once per relation from the type, then only followed.
// docs/record-format.md lists the types of each class.
#pragma once

#include "pg_extension/pg.hpp"
//
#include "fanout/wire/value_format.hpp"

namespace fanout::plugin {

/// How the bytes of a value are found in a deformed tuple.
enum class Access : uint8 {
    by_value,      // the Datum itself
    by_reference,  // what the Datum points at
    varlena,       // the payload of a varlena
    name,          // a NameData, up to its terminator
    output,        // the text of the type's output function
    // The same, of a database whose text is not UTF-8: converted.
    varlena_to_utf8,
    name_to_utf8,
    output_to_utf8,
    masked,  // another value of the type, then as the type is found
};

/// How the JSON face shows a value.
enum class JsonForm : uint8 { string, number, boolean, base64, embedded };

struct ValuePlan {
    wire::ValueClass value_class;
    Access access;
    JsonForm json;
    bool toastable;  // stored as varlena: may be a pointer to TOAST
    uint16 width;    // of the class `fixed`, else 0
};

/// `type` may be a domain: its base type decides. Looks into the catalogs.
ValuePlan plan_value(Oid type);

}  // namespace fanout::plugin
