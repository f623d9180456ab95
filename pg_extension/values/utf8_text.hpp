// Text of this database as UTF-8, which is what leaves the server whatever the database's encoding.
//
// SQL_ASCII says nothing about what bytes mean, so its text leaves as it is. Text that its encoding
// allows and Unicode has no place for (a byte that WIN1252 leaves unassigned) leaves as
// kNoUtf8 and the stored bytes: no reader can take that for UTF-8, and none raises here.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::plugin {

struct Utf8Text {
    const char* data;
    Size size;
};

/// Neither UTF8 nor SQL_ASCII: text has to be converted.
bool database_needs_conversion();

/// `text` itself if it is the same in UTF-8, else in CurrentMemoryContext. Catalogs must be
/// readable. Never raises for what the text holds.
Utf8Text to_utf8(const char* text, Size size);

/// The same for a name or a message, terminated; one that has no UTF-8 form stays as it is.
const char* name_to_utf8(const char* name);

}  // namespace fanout::plugin
