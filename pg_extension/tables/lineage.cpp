// Ancestors, and who of them is named.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/lineage.hpp"

namespace fanout::plugin {

namespace {

bool add_ancestor(Lineage* lineage, Oid oid) {
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple)) return false;
    const auto* form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    const char* schema = get_namespace_name(form->relnamespace);
    if (schema != nullptr) {
        lineage->tables[lineage->count++] = {oid, schema, pstrdup(NameStr(form->relname))};
    }
    ReleaseSysCache(tuple);
    return schema != nullptr;
}

bool is_by_name(const TableEntry& entry) {
    return entry.pattern.kind == TablePattern::Kind::table;
}

/// The entry that decides on a table of the lineage, or -1.
int entry_for(const TableEntry* entries, int count, const NamedTable& table) {
    return deciding_entry(entries, count, table.schema, table.name);
}

Decision decide_as_itself(const TableEntry* entries, int count, const Lineage& lineage) {
    Decision decision{-1, 0};
    for (int i = 0; i < lineage.count; ++i) {
        const int place = entry_for(entries, count, lineage.tables[i]);
        if (place < 0) continue;
        if (is_by_name(entries[place])) return {place, 0};
        if (decision.entry < 0) decision.entry = place;
    }
    return decision;
}

}  // namespace

Lineage lineage_of(Oid relation, bool is_partition, const char* schema, const char* name) {
    List* ancestors = is_partition ? get_partition_ancestors(relation) : NIL;
    Lineage lineage{};
    lineage.tables = static_cast<NamedTable*>(
        palloc(sizeof(NamedTable) * static_cast<Size>(list_length(ancestors) + 1)));
    lineage.tables[lineage.count++] = {relation, schema, name};
    for (int i = 0; i < list_length(ancestors); ++i) {
        if (!add_ancestor(&lineage, list_nth_oid(ancestors, i))) break;
    }
    list_free(ancestors);
    return lineage;
}

Decision decide(const TableEntry* entries, int count, bool via_root, const Lineage& lineage) {
    if (!via_root) return decide_as_itself(entries, count, lineage);
    for (int i = lineage.count - 1; i >= 0; --i) {
        const int place = entry_for(entries, count, lineage.tables[i]);
        if (place >= 0) return {place, i};
    }
    return {-1, 0};
}

}  // namespace fanout::plugin
