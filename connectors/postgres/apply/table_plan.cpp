// Binds the source's columns to the target's by name and decides what is allowed.
#include "postgres/apply/table_plan.hpp"

#include <algorithm>

#include "_kit/sql_quote.hpp"
#include "_kit/stored_types.hpp"
#include "_kit/value_binary.hpp"
#include "postgres/apply/statements.hpp"

namespace fanout::postgres {
namespace {

using connector::ConnectorError;
using connector::view;

constexpr Oid kTextArrayOid = 1009;

std::uint8_t key_flag(const fanout_table& source) {
    return source.identity == 'f' ? FANOUT_COLUMN_PRIMARY_KEY : FANOUT_COLUMN_KEY;
}

void choose_form(PlanColumn& column, const fanout_column& source, const TargetColumn& target) {
    column.form.column = source;
    // Without a layout for its bytes a fixed value has no text form either.
    if (source.value_class == FANOUT_FIXED && !kit::has_binary_form(source))
        throw ConnectorError(FANOUT_FATAL,
                             "column \"" + column.name + "\": values of type " +
                                 std::string(view(source.type_name)) +
                                 " arrive in a form this connector cannot read",
                             "Use a connector of the same version as the extension.");
    column.form.binary =
        kit::has_binary_form(source) && source.type_oid == target.base_oid && target.array_oid != 0;
    column.form.element_oid = column.form.binary ? target.base_oid : kit::type_oid::kText;
    column.array_oid = column.form.binary ? target.array_oid : kTextArrayOid;
    if (column.form.binary) return;
    // The cast from text to regclass knows neither - nor numbers; from bpchar there is none, so
    // that the type's input function is called.
    column.cast = target.base_oid == kit::type_oid::kRegclass ? "::bpchar::" : "::";
    column.cast += target.base_type;
}

PlanColumn bind_column(const fanout_table& source, std::size_t i, const TargetColumn& target) {
    const fanout_column& from = source.columns[i];
    PlanColumn column;
    column.source = i;
    column.name = view(from.name);
    column.quoted = kit::quote_identifier(column.name);
    column.equality = "=";
    choose_form(column, from, target);
    column.key = (from.flags & key_flag(source)) != 0;
    column.writable = !target.generated;
    column.always_identity = target.always_identity;
    column.updatable = column.writable && !target.always_identity;
    column.may_be_unchanged = from.value_class != FANOUT_FIXED;
    column.not_null = target.not_null;
    column.plain_equality = target.plain_equality && column.form.binary;
    return column;
}

void bind_columns(TablePlan& plan, const fanout_table& source, const TargetTable& target) {
    for (std::size_t i = 0; i < source.column_count; ++i) {
        const std::string name(view(source.columns[i].name));
        const TargetColumn* column = target.find(name);
        if (column == nullptr)
            throw ConnectorError(FANOUT_FATAL,
                                 "table " + plan.name + " of the target has no column \"" + name +
                                     "\" (" + std::string(view(source.columns[i].type_name)) + ")",
                                 "Add it: ALTER TABLE " + plan.name + " ADD COLUMN " +
                                     kit::quote_identifier(name) + " " +
                                     std::string(view(source.columns[i].type_name)) + ";");
        PlanColumn bound = bind_column(source, i, *column);
        if (bound.key) plan.key.push_back(i);
        // A generated column is of use only to find rows by.
        if (bound.writable || bound.key || source.identity == 'f')
            plan.columns.push_back(std::move(bound));
    }
    for (PlanColumn& column : plan.columns)
        column.form.column.name = {column.name.data(), column.name.size()};
    plan.extra_columns =
        std::any_of(target.columns.begin(), target.columns.end(), [&](const TargetColumn& column) {
            return !column.generated &&
                   std::none_of(plan.columns.begin(), plan.columns.end(),
                                [&](const PlanColumn& p) { return p.name == column.name; });
        });
}

// The unique index that is exactly the key, if there is one.
const UniqueIndex* key_index(const TablePlan& plan, const TargetTable& target) {
    std::vector<std::string> wanted;
    for (const PlanColumn& column : plan.columns)
        if (column.key) wanted.push_back(column.name);
    std::sort(wanted.begin(), wanted.end());
    for (const UniqueIndex& index : target.unique_indexes) {
        auto has = index.columns;
        std::sort(has.begin(), has.end());
        if (index.usable_as_key && has == wanted) return &index;
    }
    return nullptr;
}

void use_operators(TablePlan& plan, const UniqueIndex& index) {
    for (PlanColumn& column : plan.columns)
        for (std::size_t i = 0; i < index.columns.size(); ++i)
            if (column.key && index.columns[i] == column.name) column.equality = index.equality[i];
}

// apply.md's rule: folding needs a key that is the only thing rows can collide on, compared byte
// by byte, and nothing in the target that reacts to single changes.
Regrouping choose_regrouping(const TablePlan& plan, const TargetTable& target,
                             const UniqueIndex* index) {
    if (target.fires_triggers) return Regrouping::nothing;
    const bool plain_key =
        std::all_of(plan.columns.begin(), plan.columns.end(), [](const PlanColumn& column) {
            return !column.key || (column.plain_equality && column.writable);
        });
    if (index != nullptr && target.unique_indexes.size() == 1 && plain_key &&
        !target.enforces_foreign_keys)
        return Regrouping::folded;
    return Regrouping::runs;
}

}  // namespace

std::shared_ptr<TablePlan> make_table_plan(const fanout_table& source, const TargetTable& target) {
    auto plan = std::make_shared<TablePlan>();
    plan->source_oid = source.oid;
    plan->version = source.version;
    plan->name = kit::quote_qualified(view(source.schema), view(source.name));
    plan->insert_reference = plan->name;
    plan->reference = target.relkind == 'p' ? plan->name : "ONLY " + plan->name;
    plan->source_columns = source.column_count;
    plan->columns.reserve(source.column_count);
    bind_columns(*plan, source, target);
    for (std::size_t i = 0; i < source.column_count; ++i)
        plan->may_be_huge |= source.columns[i].value_class != FANOUT_FIXED;
    plan->match_whole_row = source.identity == 'f' && plan->key.empty();
    const UniqueIndex* index = plan->key.empty() ? nullptr : key_index(*plan, target);
    plan->key_is_unique = index != nullptr;
    if (index != nullptr) use_operators(*plan, *index);
    plan->regrouping = choose_regrouping(*plan, target, index);
    plan->independent = !target.fires_triggers && !target.enforces_foreign_keys;
    plan->deletes_may_miss = target.has_cascading_reference;
    make_statements(*plan);
    return plan;
}

}  // namespace fanout::postgres
