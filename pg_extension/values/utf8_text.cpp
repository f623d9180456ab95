// Piece by piece: a value may have a gigabyte, and grow by half.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/values/utf8_text.hpp"
//
#include "fanout/base/no_utf8.hpp"

namespace fanout::plugin {

namespace {

constexpr Size kPieceBytes = 64 * 1024;
constexpr Size kPieceRoom = (kPieceBytes + 2) * MAX_CONVERSION_GROWTH;

bool is_ascii(const char* text, Size size) {
    constexpr uint64 kHighBits = 0x8080808080808080;
    uint64 seen = 0;
    for (; size >= sizeof seen; text += sizeof seen, size -= sizeof seen) {
        uint64 word = 0;
        memcpy(&word, text, sizeof word);
        seen |= word;
    }
    for (; size > 0; ++text, --size)
        seen |= static_cast<uint8>(*text);
    return (seen & kHighBits) == 0;
}

/// Invalid if this encoding has no conversion (MULE_INTERNAL).
Oid conversion() {
    static Oid found = InvalidOid;
    if (!OidIsValid(found)) {
        found = FindDefaultConversion(PG_CATALOG_NAMESPACE, GetDatabaseEncoding(), PG_UTF8);
    }
    return found;
}

Utf8Text marked(const char* text, Size size) {
    auto* out =
        static_cast<char*>(MemoryContextAllocHuge(CurrentMemoryContext, sizeof kNoUtf8 + size));
    memcpy(out, kNoUtf8, sizeof kNoUtf8);
    memcpy(out + sizeof kNoUtf8, text, size);
    return {out, sizeof kNoUtf8 + size};
}

}  // namespace

bool database_needs_conversion() {
    return GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII;
}

Utf8Text to_utf8(const char* text, Size size) {
    if (!database_needs_conversion() || is_ascii(text, size)) return {text, size};
    const Oid function = conversion();
    if (!OidIsValid(function)) return marked(text, size);
    Size room = size + size / 2 + kPieceRoom;
    auto* out = static_cast<char*>(MemoryContextAllocHuge(CurrentMemoryContext, room));
    Size used = 0;
    for (Size done = 0; done < size;) {
        if (room - used < kPieceRoom) {
            room += room / 2 + kPieceRoom;
            out = static_cast<char*>(repalloc_huge(out, room));
        }
        const Size taken = server::convert_to_utf8(function, text + done,
                                                   Min(size - done, kPieceBytes), out + used);
        if (taken == 0) {
            pfree(out);
            return marked(text, size);
        }
        done += taken;
        used += strlen(out + used);
        CHECK_FOR_INTERRUPTS();
    }
    return {out, used};
}

const char* name_to_utf8(const char* name) {
    const Utf8Text text = to_utf8(name, strlen(name));
    if (text.data == name) return name;
    if (memchr(text.data, '\0', text.size) != nullptr) return name;
    return pnstrdup(text.data, text.size);
}

}  // namespace fanout::plugin
