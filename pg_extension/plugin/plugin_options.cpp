// The option table of the text face.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/plugin/plugin_options.hpp"

namespace fanout::plugin {

namespace {

struct Flag {
    const char* name;
    bool PluginOptions::*value;
    bool initially;
};

constexpr Flag kFlags[] = {
    {"include_transactions", &PluginOptions::include_transactions, false},
    {"include_xids", &PluginOptions::include_xids, true},
    {"include_lsns", &PluginOptions::include_lsns, true},
    {"include_times", &PluginOptions::include_times, true},
    {"include_messages", &PluginOptions::include_messages, true},
};

constexpr const char* kEveryTable[] = {"/./"};

const char* text_of(const DefElem* option) {
    return option->arg == nullptr ? nullptr : strVal(option->arg);
}

[[noreturn]] void refuse_value(const DefElem* option, const char* wanted) {
    const char* value = text_of(option);
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("option \"%s\" of output plugin pg_fanout cannot be \"%s\"",
                           option->defname, value != nullptr ? value : ""),
                    errhint("It wants %s.", wanted)));
    pg_unreachable();
}

/// Entries separated by commas; a comma inside double quotes, slashes or braces belongs to its
/// entry.
void parse_tables(const DefElem* option, PluginOptions* parsed) {
    const char* value = text_of(option);
    if (value == nullptr || *value == '\0') refuse_value(option, "patterns separated by commas");
    const auto** patterns = static_cast<const char**>(palloc(sizeof(char*) * (strlen(value) + 1)));
    int count = 0;
    const char* from = value;
    bool quoted = false;
    bool regex = false;
    int depth = 0;
    for (const char* at = value;; ++at) {
        const bool escaped = depth > 0 && at > from && at[-1] == '\\';
        if (*at == '"' && !regex && !escaped) quoted = !quoted;
        if (*at == '/' && !quoted && depth == 0) regex = !regex;
        if (*at == '{' && !quoted && (depth > 0 || at == from)) ++depth;
        if (*at == '}' && !quoted && depth > 0) --depth;
        if (*at != '\0' && (*at != ',' || quoted || regex || depth > 0)) continue;
        patterns[count++] = pnstrdup(from, static_cast<Size>(at - from));
        if (*at == '\0') break;
        from = at + 1;
    }
    parsed->tables = patterns;
    parsed->table_count = count;
}

void parse_option(const DefElem* option, PluginOptions* parsed) {
    if (strcmp(option->defname, "tables") == 0) {
        parse_tables(option, parsed);
        return;
    }
    for (const Flag& flag : kFlags) {
        if (strcmp(option->defname, flag.name) != 0) continue;
        const char* value = text_of(option);
        if (value == nullptr) {
            parsed->*flag.value = true;
        } else if (!parse_bool(value, &(parsed->*flag.value))) {
            refuse_value(option, "on or off");
        }
        return;
    }
    StringInfoData known;
    initStringInfo(&known);
    for (const Flag& flag : kFlags)
        appendStringInfo(&known, "%s, ", flag.name);
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("output plugin pg_fanout has no option \"%s\"", option->defname),
                    errhint("It has %stables.", known.data)));
}

}  // namespace

void parse_plugin_options(List* options, PluginOptions* parsed) {
    for (const Flag& flag : kFlags)
        parsed->*flag.value = flag.initially;
    parsed->tables = kEveryTable;
    parsed->table_count = lengthof(kEveryTable);
    ListCell* cell = nullptr;
    foreach (cell, options) {
        parse_option(static_cast<const DefElem*>(lfirst(cell)), parsed);
    }
}

}  // namespace fanout::plugin
