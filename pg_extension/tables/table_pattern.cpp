// Parsing and matching of table patterns. Regular expressions are PostgreSQL's own, compiled once
// per process by the server's cache of them.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/tables/table_pattern.hpp"

namespace fanout::plugin {

namespace {

[[noreturn]] void refuse(const char* text, const char* reason) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("table pattern \"%s\" is malformed", text), errdetail("%s", reason),
                    errhint("Write schema.table, schema.*, or /regular expression/ for "
                            "\"schema.table\"; quote identifiers as in SQL.")));
    pg_unreachable();
}

/// Compiles once to find mistakes; the compiled form is dropped, matching uses the server's cache.
void check_regex(const char* whole, const char* body, size_t size) {
    auto* wide = static_cast<pg_wchar*>(palloc((size + 1) * sizeof(pg_wchar)));
    const int length = pg_mb2wchar_with_len(body, wide, static_cast<int>(size));
    regex_t compiled;
    const int code = pg_regcomp(&compiled, wide, static_cast<size_t>(length),
                                REG_ADVANCED | REG_NOSUB, DEFAULT_COLLATION_OID);
    if (code == REG_OKAY) {
        pg_regfree(&compiled);
        return;
    }
    char reason[100];
    pg_regerror(code, &compiled, reason, sizeof reason);
    refuse(whole, reason);
}

}  // namespace

void parse_table_pattern(const char* text, TablePattern* pattern) {
    *pattern = {};
    const size_t size = strlen(text);
    if (size == 0) refuse(text, "The pattern is empty.");
    if (text[0] == '/') {
        if (size < 3 || text[size - 1] != '/') {
            refuse(text, "A regular expression stands between two slashes.");
        }
        check_regex(text, text + 1, size - 2);
        pattern->kind = TablePattern::Kind::regex;
        pattern->regex = cstring_to_text_with_len(text + 1, static_cast<int>(size - 2));
        return;
    }
    List* parts = NIL;
    if (!SplitIdentifierString(pstrdup(text), '.', &parts)) {
        refuse(text, "It is not a list of identifiers.");
    }
    if (list_length(parts) != 2) {
        refuse(text, "It must have exactly two parts, a schema and a table.");
    }
    pattern->schema = static_cast<const char*>(linitial(parts));
    pattern->table = static_cast<const char*>(lsecond(parts));
    if (strchr(pattern->schema, '*') != nullptr && strchr(text, '"') == nullptr) {
        refuse(text, "A schema cannot be a wildcard.");
    }
    const bool wildcard = text[size - 1] == '*';
    if (!wildcard && strchr(pattern->table, '*') != nullptr && text[size - 1] != '"') {
        refuse(text, "A wildcard stands for a whole table name only.");
    }
    if (wildcard && strcmp(pattern->table, "*") != 0) {
        refuse(text, "A wildcard stands for a whole table name only.");
    }
    pattern->kind = wildcard ? TablePattern::Kind::schema : TablePattern::Kind::table;
}

bool matches(const TablePattern& pattern, const char* schema, const char* table) {
    switch (pattern.kind) {
        case TablePattern::Kind::table:
            return strcmp(pattern.schema, schema) == 0 && strcmp(pattern.table, table) == 0;
        case TablePattern::Kind::schema:
            return strcmp(pattern.schema, schema) == 0;
        case TablePattern::Kind::regex:
            break;
    }
    text* name = cstring_to_text(psprintf("%s.%s", schema, table));
    return DatumGetBool(DirectFunctionCall2Coll(
        textregexeq, DEFAULT_COLLATION_OID, PointerGetDatum(name), PointerGetDatum(pattern.regex)));
}

}  // namespace fanout::plugin
