// Constants by input function, hashes over the UTF-8 of a text.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/values/mask.hpp"
//
#include "pg_extension/values/utf8_text.hpp"

namespace fanout::plugin {

namespace {

constexpr char kStars[] = "***";
constexpr int kStarCount = 3;
constexpr int kTailCount = 4;
constexpr int kTailFromCount = 9;
constexpr int kHashHexCount = 64;
constexpr Size kHashBytes = 32, kBlockBytes = 64, kUuidBytes = 16;

struct Constant {
    Oid type;
    const char* text;
};

constexpr Constant kConstants[] = {
    {TEXTOID, kStars},
    {VARCHAROID, kStars},
    {BPCHAROID, kStars},
    {INT2OID, "0"},
    {INT4OID, "0"},
    {INT8OID, "0"},
    {FLOAT4OID, "0"},
    {FLOAT8OID, "0"},
    {NUMERICOID, "0"},
    {BOOLOID, "false"},
    {DATEOID, "1970-01-01"},
    {TIMESTAMPOID, "1970-01-01"},
    {TIMESTAMPTZOID, "1970-01-01 00:00:00+00"},
    {BYTEAOID, ""},
    {JSONOID, "{}"},
    {JSONBOID, "{}"},
    {UUIDOID, "00000000-0000-0000-0000-000000000000"},
};

const char* constant_of(Oid type) {
    for (const Constant& constant : kConstants) {
        if (constant.type == type) return constant.text;
    }
    return nullptr;
}

/// Characters that varchar(n) has room for; n bytes behind the length word's size in the modifier.
bool has_room(int32 typmod, int characters) {
    return typmod < VARHDRSZ || typmod - VARHDRSZ >= characters;
}

struct Bytes {
    const char* data;
    Size size;
};

Bytes bytes_of(Datum value) {
    const auto* stored = reinterpret_cast<struct varlena*>(PG_DETOAST_DATUM_PACKED(value));
    return {VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored)};
}

/// RFC 2104. The secret is no longer than a block.
void hmac(const bytea* secret, Bytes message, uint8 (&out)[kHashBytes]) {
    uint8 inner[kBlockBytes];
    uint8 outer[kBlockBytes];
    memset(inner, 0x36, sizeof inner);
    memset(outer, 0x5C, sizeof outer);
    const auto* key = reinterpret_cast<const uint8*>(VARDATA_ANY(secret));
    for (Size i = 0; i < VARSIZE_ANY_EXHDR(secret); ++i) {
        inner[i] = static_cast<uint8>(inner[i] ^ key[i]);
        outer[i] = static_cast<uint8>(outer[i] ^ key[i]);
    }
    uint8 digest[kHashBytes];
    server::sha256(inner, sizeof inner, reinterpret_cast<const uint8*>(message.data), message.size,
                   digest);
    server::sha256(outer, sizeof outer, digest, sizeof digest, out);
}

Datum text_datum(const char* data, Size size) {
    return PointerGetDatum(cstring_to_text_with_len(data, static_cast<int>(size)));
}

Datum hash_value(const Mask* mask, Datum value) {
    uint8 digest[kHashBytes];
    if (mask->type == UUIDOID) {
        hmac(mask->secret, {DatumGetPointer(value), kUuidBytes}, digest);
        auto* uuid = static_cast<char*>(palloc(kUuidBytes));
        memcpy(uuid, digest, kUuidBytes);
        return PointerGetDatum(uuid);
    }
    Bytes bytes = bytes_of(value);
    if (mask->type == BYTEAOID) {
        hmac(mask->secret, bytes, digest);
        return text_datum(reinterpret_cast<const char*>(digest), sizeof digest);
    }
    const Utf8Text shown = to_utf8(bytes.data, bytes.size);
    hmac(mask->secret, {shown.data, shown.size}, digest);
    char digits[kHashHexCount + 1];
    (void)hex_encode(reinterpret_cast<const char*>(digest), sizeof digest, digits);
    return text_datum(digits, kHashHexCount);
}

Datum tail_of(Datum value) {
    const Bytes bytes = bytes_of(value);
    const auto size = static_cast<int>(bytes.size);
    const int characters = pg_mbstrlen_with_len(bytes.data, size);
    if (characters < kTailFromCount) return text_datum(kStars, kStarCount);
    const int cut = pg_mbcharcliplen(bytes.data, size, characters - kTailCount);
    const Size rest = bytes.size - static_cast<Size>(cut);
    auto* shown = static_cast<char*>(palloc(kStarCount + rest));
    memcpy(shown, kStars, kStarCount);
    memcpy(shown + kStarCount, bytes.data + cut, rest);
    return text_datum(shown, kStarCount + rest);
}

Datum make_constant(Oid type, int32 typmod) {
    const char* text = constant_of(type);
    const bool is_text = type == VARCHAROID || type == BPCHAROID;
    if (is_text && !has_room(typmod, kStarCount)) {
        text = pnstrdup(text, static_cast<Size>(typmod - VARHDRSZ));
    }
    Oid input = InvalidOid;
    Oid parameter = InvalidOid;
    getTypeInputInfo(type, &input, &parameter);
    return OidInputFunctionCall(input, const_cast<char*>(text), parameter, typmod);
}

}  // namespace

bool parse_mask_kind(const char* name, MaskKind* kind) {
    constexpr struct {
        const char* name;
        MaskKind kind;
    } kKinds[] = {{"null", MaskKind::null},
                  {"redact", MaskKind::redact},
                  {"hash", MaskKind::hash},
                  {"last4", MaskKind::last4}};
    for (const auto& known : kKinds) {
        if (strcmp(known.name, name) != 0) continue;
        *kind = known.kind;
        return true;
    }
    return false;
}

const char* why_not_masked(MaskKind kind, Oid type, int32 typmod) {
    const Oid base = getBaseTypeAndTypmod(type, &typmod);
    switch (kind) {
        case MaskKind::null:
            return nullptr;
        case MaskKind::redact:
            return constant_of(base) != nullptr ? nullptr : "There is no constant for its type.";
        case MaskKind::hash:
            if (base == TEXTOID || base == UUIDOID || base == BYTEAOID) return nullptr;
            if (base != VARCHAROID) return "Only text, varchar, uuid and bytea can be hashed.";
            return has_room(typmod, kHashHexCount) ? nullptr : "A hash has 64 characters.";
        case MaskKind::last4:
            if (base == TEXTOID) return nullptr;
            if (base != VARCHAROID) return "Only text and varchar have last characters.";
            return has_room(typmod, kStarCount + kTailCount) ? nullptr : "It takes 7 characters.";
    }
    return nullptr;
}

void check_mask_secret(const bytea* secret) {
    if (secret != nullptr && VARSIZE_ANY_EXHDR(secret) <= kBlockBytes) return;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("there is no secret for the mask \"hash\""),
             errdetail("The table fanout.mask_secret has no row, or one that is too long."),
             errhint("Put back the row of fanout.mask_secret, or make a new one by creating a "
                     "subscription with the mask: hashes will be others then.")));
}

Mask* make_mask(MaskKind kind, Oid type, int32 typmod, const bytea* secret) {
    auto* mask = static_cast<Mask*>(palloc0(sizeof(Mask)));
    mask->kind = kind;
    mask->typmod = typmod;
    mask->type = getBaseTypeAndTypmod(type, &mask->typmod);
    if (kind == MaskKind::redact) mask->constant = make_constant(mask->type, mask->typmod);
    if (kind == MaskKind::hash) check_mask_secret(secret);
    mask->secret = secret;
    return mask;
}

Datum mask_value(const Mask* mask, Datum value) {
    switch (mask->kind) {
        case MaskKind::hash:
            return hash_value(mask, value);
        case MaskKind::last4:
            return tail_of(value);
        default:
            return mask->constant;
    }
}

}  // namespace fanout::plugin
