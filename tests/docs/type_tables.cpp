// Prints the connectors' tables of types and of schema changes as JSON: for tools/gen_fidelity and
// for the tests that expect by them.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "connectors/_kit/json_types.hpp"
#include "connectors/postgres/target/ddl_table.hpp"
#include "connectors/postgres/target/type_table.hpp"
#include "connectors/sqlite/ddl_table.hpp"
#include "connectors/sqlite/type_table.hpp"
#include "sidecar/lane/on_ddl.hpp"
#include "tests/docs/source_types.hpp"

namespace {

using nlohmann::ordered_json;

template <typename Form, std::size_t N>
ordered_json table_json(const fanout::kit::TypeMapping<Form> (&table)[N]) {
    ordered_json rows = ordered_json::array();
    for (const auto& row : table)
        rows.push_back({{"oid", row.oid},
                        {"target", row.target},
                        {"fidelity", fanout::kit::fidelity_text(row.fidelity)},
                        {"note", row.note}});
    return rows;
}

std::string_view effect_of(std::span<const fanout::kit::DdlEffect> effects, int kind) {
    for (const auto& effect : effects)
        if (effect.kind == kind) return effect.effect;
    return "";
}

ordered_json ddl_json() {
    ordered_json rows = ordered_json::array();
    for (const auto& [kind, shown] : fanout::kit::kDdlKindNames)
        rows.push_back({{"shown", shown},
                        {"holds", fanout::lane::concerns_target(static_cast<std::uint8_t>(kind))},
                        {"postgres", effect_of(fanout::postgres::kDdlEffects, kind)},
                        {"sqlite", effect_of(fanout::sqlite_target::kDdlEffects, kind)}});
    return rows;
}

}  // namespace

int main() {
    ordered_json types = ordered_json::array();
    for (const auto& type : fanout::docs_test::kSourceTypes)
        types.push_back({{"oid", type.oid}, {"name", type.name}});
    const ordered_json all{{"types", types},
                           {"ddl", ddl_json()},
                           {"postgres", table_json(fanout::postgres::kTypes)},
                           {"sqlite", table_json(fanout::sqlite_target::kTypes)},
                           {"file", table_json(fanout::kit::kJsonTypes)}};
    std::puts(all.dump(1).c_str());
    return 0;
}
