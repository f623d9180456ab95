// The list of what is pinned. docs/record-format.md repeats it for readers.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/plugin/pinned_settings.hpp"

namespace fanout::plugin {

namespace {

struct PinnedSetting {
    const char* name;
    const char* value;
};

constexpr PinnedSetting kPinned[] = {
    {"TimeZone", "UTC"},           {"DateStyle", "ISO, YMD"}, {"IntervalStyle", "postgres"},
    {"extra_float_digits", "1"},   {"bytea_output", "hex"},   {"xmlbinary", "base64"},
    {"search_path", "pg_catalog"}, {"lc_monetary", "C"},      {"quote_all_identifiers", "off"},
};

}  // namespace

int pin_settings() {
    const bool in_transaction = IsTransactionState();
    const int nest_level = in_transaction ? NewGUCNestLevel() : 0;
    for (const PinnedSetting& setting : kPinned) {
        (void)set_config_option(setting.name, setting.value, PGC_USERSET, PGC_S_SESSION,
                                in_transaction ? GUC_ACTION_SAVE : GUC_ACTION_SET, true, 0, false);
    }
    return nest_level;
}

void unpin_settings(int nest_level) {
    if (nest_level > 0) AtEOXact_GUC(true, nest_level);
}

}  // namespace fanout::plugin
