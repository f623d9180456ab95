// unnest() stands in the target list: in FROM it would go through a tuplestore per array. With a
// forced generic plan the planner expects ten rows and finds each through the key's index.
#include "postgres/apply/statements.hpp"

#include "_kit/stored_types.hpp"

namespace fanout::postgres {
namespace {

using From = ParameterSource::From;

constexpr Oid kBoolArrayOid = 1000;

class StatementBuilder {
  public:
    StatementBuilder(const TablePlan& plan, bool arrays) : plan_(plan) { out_.arrays = arrays; }

    /// "unnest($n)::type", or "$n::type", for one more parameter.
    std::string element(From from, std::size_t column) {
        const PlanColumn& shape = plan_.columns[column];
        out_.parameters.push_back({from, column});
        const bool mask = from == From::changed_mask;
        const std::string number = "$" + std::to_string(out_.parameters.size());
        const std::string cast = mask ? std::string() : shape.cast;
        if (!out_.arrays) {
            out_.statement.types.push_back(mask ? kit::type_oid::kBool : shape.form.element_oid);
            return number + cast;
        }
        out_.statement.types.push_back(mask ? kBoolArrayOid : shape.array_oid);
        return "unnest(" + number + ")" + cast;
    }

    /// One more parameter that says no more than that there is a row: true, as often as rows.
    std::string row_mark() {
        out_.parameters.push_back({From::row_mark, 0});
        out_.statement.types.push_back(out_.arrays ? kBoolArrayOid : kit::type_oid::kBool);
        const std::string number = "$" + std::to_string(out_.parameters.size());
        return out_.arrays ? "unnest(" + number + ")" : number;
    }

    /// For a row source without any column.
    void mark_rows() { row_source_ = row_mark() + " AS present"; }

    /// Adds "element AS alias" to the list of the row source.
    void source(From from, std::size_t column, char prefix) {
        if (!row_source_.empty()) row_source_ += ", ";
        row_source_ += element(from, column) + " AS " + alias(prefix, column);
    }

    static std::string alias(char prefix, std::size_t column) {
        return prefix + std::to_string(column);
    }

    const std::string& row_source() const { return row_source_; }

    /// `with`: common table expressions, "WITH … " or nothing; `change`: what changes rows.
    RowStatement finish(const std::string& with, const std::string& change) {
        out_.statement.sql = with + change;
        out_.checked = out_.statement;
        const std::string rows = out_.arrays ? "cardinality($1)" : "1";
        out_.checked.sql = (with.empty() ? "WITH " : with.substr(0, with.size() - 1) + ", ") +
                           "done AS (" + change + " RETURNING 1) SELECT 1 / (count(*) = " + rows +
                           ")::int FROM done";
        return std::move(out_);
    }

  private:
    const TablePlan& plan_;
    RowStatement out_;
    std::string row_source_;
};

void add(std::string& list, const std::string& item, const char* separator = ", ") {
    if (!list.empty()) list += separator;
    list += item;
}

RowStatement make_insert(const TablePlan& plan, bool arrays) {
    StatementBuilder builder(plan, arrays);
    std::string names, values;
    bool identity = false;
    for (std::size_t i = 0; i < plan.columns.size(); ++i) {
        if (!plan.columns[i].writable) continue;
        add(names, plan.columns[i].quoted);
        add(values, builder.element(From::new_image, i));
        identity = identity || plan.columns[i].always_identity;
    }
    if (names.empty())  // only the list of a SELECT may be
        return builder.finish("", "INSERT INTO " + plan.insert_reference + " SELECT FROM (SELECT " +
                                      builder.row_mark() + ") AS x");
    return builder.finish("", "INSERT INTO " + plan.insert_reference + " (" + names + ")" +
                                  (identity ? " OVERRIDING SYSTEM VALUE" : "") + " SELECT " +
                                  values);
}

// The SET list; adds what it needs to the row source. Empty if nothing can be set.
std::string set_list(const TablePlan& plan, StatementBuilder& builder, bool keys, bool masks) {
    std::string list;
    for (std::size_t i = 0; i < plan.columns.size(); ++i) {
        const PlanColumn& column = plan.columns[i];
        if (!column.updatable || (column.key && !keys)) continue;
        builder.source(From::new_image, i, 'c');
        std::string value = "x." + StatementBuilder::alias('c', i);
        if (masks && column.may_be_unchanged) {
            builder.source(From::changed_mask, i, 'm');
            value = "CASE WHEN x." + StatementBuilder::alias('m', i) + " THEN " + value +
                    " ELSE t." + column.quoted + " END";
        }
        add(list, column.quoted + " = " + value);
    }
    return list;
}

std::string key_condition(const TablePlan& plan, StatementBuilder& builder) {
    std::string condition;
    for (std::size_t i = 0; i < plan.columns.size(); ++i) {
        if (!plan.columns[i].key) continue;
        builder.source(From::old_image, i, 'k');
        add(condition,
            "t." + plan.columns[i].quoted + " " + plan.columns[i].equality + " x." +
                StatementBuilder::alias('k', i),
            " AND ");
    }
    return condition;
}

RowStatement make_update(const TablePlan& plan, bool keys, bool masks, bool arrays) {
    StatementBuilder builder(plan, arrays);
    const std::string condition = key_condition(plan, builder);
    const std::string sets = set_list(plan, builder, keys, masks);
    if (sets.empty()) return {};
    return builder.finish("", "UPDATE " + plan.reference + " AS t SET " + sets + " FROM (SELECT " +
                                  builder.row_source() + ") AS x WHERE " + condition);
}

RowStatement make_remove(const TablePlan& plan, bool arrays) {
    StatementBuilder builder(plan, arrays);
    const std::string condition = key_condition(plan, builder);
    return builder.finish("", "DELETE FROM " + plan.reference + " AS t USING (SELECT " +
                                  builder.row_source() + ") AS x WHERE " + condition);
}

// Rows without a key are found by their whole old image, each as often as it was asked for. The
// text of the row decides: it exists for every type, is exact, and takes NULLs as equal. Columns
// that are NOT NULL and compare by bytes find the candidates, by an index or a hash.
std::string match_sql(const TablePlan& plan, const StatementBuilder& builder) {
    std::string mine, theirs, candidates, distinct;
    for (std::size_t i = 0; i < plan.columns.size(); ++i) {
        const PlanColumn& column = plan.columns[i];
        const std::string alias = StatementBuilder::alias('k', i);
        add(mine, "t." + column.quoted);
        add(theirs, "u." + alias);
        if (!column.plain_equality || !column.not_null) continue;
        add(candidates, "t." + column.quoted + " = d." + alias, " AND ");
        add(distinct, ", " + alias, "");
    }
    const std::string image = "ROW(" + mine + ")::text";
    const std::string on = candidates.empty() ? image + " = d.image"
                                              : candidates + " AND NOT (" + image + " <> d.image)";
    return "WITH u AS MATERIALIZED (SELECT " + builder.row_source() +
           "), x AS MATERIALIZED (SELECT u.*, ROW(" + theirs +
           ")::text AS image FROM u), n AS MATERIALIZED (SELECT x.*, row_number() OVER "
           "(PARTITION BY image) AS nth FROM x), y AS MATERIALIZED (SELECT t.tableoid AS part, "
           "t.ctid AS place, d.image, row_number() OVER (PARTITION BY d.image ORDER BY "
           "t.tableoid, t.ctid) AS nth FROM " +
           plan.reference + " AS t JOIN (SELECT DISTINCT image" + distinct + " FROM x) AS d ON " +
           on + ") ";
}

constexpr const char* kMatched =
    " FROM y JOIN n ON n.image = y.image AND n.nth = y.nth WHERE t.ctid = y.place AND t.tableoid "
    "= y.part";

void match_sources(const TablePlan& plan, StatementBuilder& builder) {
    for (std::size_t i = 0; i < plan.columns.size(); ++i)
        builder.source(From::old_image, i, 'k');
    if (plan.columns.empty()) builder.mark_rows();
}

RowStatement make_update_match(const TablePlan& plan) {
    StatementBuilder builder(plan, true);
    match_sources(plan, builder);
    std::string sets;
    for (std::size_t i = 0; i < plan.columns.size(); ++i) {
        if (!plan.columns[i].updatable) continue;
        builder.source(From::new_image, i, 'c');
        add(sets, plan.columns[i].quoted + " = n." + StatementBuilder::alias('c', i));
    }
    if (sets.empty()) return {};
    return builder.finish(match_sql(plan, builder),
                          "UPDATE " + plan.reference + " AS t SET " + sets + kMatched);
}

RowStatement make_remove_match(const TablePlan& plan) {
    StatementBuilder builder(plan, true);
    match_sources(plan, builder);
    std::string matched = kMatched;
    matched.replace(0, 5, " USING");
    return builder.finish(match_sql(plan, builder),
                          "DELETE FROM " + plan.reference + " AS t" + matched);
}

void make_set(const TablePlan& plan, bool arrays, StatementSet& set) {
    const auto at = [&](StepKind kind) -> RowStatement& {
        return set.by_kind[static_cast<std::size_t>(kind)];
    };
    at(StepKind::insert) = make_insert(plan, arrays);
    if (!plan.key.empty()) {
        at(StepKind::update) = make_update(plan, false, false, arrays);
        set.update_masked = make_update(plan, false, true, arrays);
        at(StepKind::update_key) = make_update(plan, true, true, arrays);
        at(StepKind::remove) = make_remove(plan, arrays);
    }
    if (plan.match_whole_row && arrays) {
        at(StepKind::update_match) = make_update_match(plan);
        at(StepKind::remove_match) = make_remove_match(plan);
    }
}

}  // namespace

void make_statements(TablePlan& plan) {
    make_set(plan, true, plan.many);
    make_set(plan, false, plan.one);
}

std::string truncate_sql(const std::vector<const TablePlan*>& plans, unsigned flags) {
    std::string list;
    for (const TablePlan* plan : plans)
        add(list, plan->reference);
    std::string sql = "TRUNCATE " + list;
    if ((flags & FANOUT_TRUNCATE_RESTART_IDENTITY) != 0) sql += " RESTART IDENTITY";
    if ((flags & FANOUT_TRUNCATE_CASCADE) != 0) sql += " CASCADE";
    return sql;
}

}  // namespace fanout::postgres
