// From the interests of subscriptions to projections, and to the bodies of their relation records.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/tables/projection.hpp"
//
#include "pg_extension/tables/buffer_writer.hpp"
#include "pg_extension/values/utf8_text.hpp"

namespace fanout::plugin {

namespace {

/// Subscriptions that will share a projection. Columns are bits by attribute number.
struct Group {
    bool refused;  // nobody gets rows; `reasons` say why
    Bitmapset* columns;
    const char* where;
    const MaskByNumber* masks;
    RowPredicate* predicate;
    uint32* wanted;
    uint32* denied;
    const char** reasons;
    uint16 wanted_count;
    uint16 denied_count;
    Group* next;
};

/// The columns of an index, as a bit for each attribute number.
Bitmapset* index_columns(Oid index) {
    if (!OidIsValid(index)) return nullptr;
    HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
    if (!HeapTupleIsValid(tuple)) return nullptr;
    auto* form = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
    Bitmapset* columns = nullptr;
    for (int i = 0; i < form->indnkeyatts; ++i) {
        columns = bms_add_member(columns, form->indkey.values[i]);
    }
    ReleaseSysCache(tuple);
    return columns;
}

wire::Identity identity_of(Relation relation) {
    return static_cast<wire::Identity>(relation->rd_rel->relreplident);
}

Bitmapset* primary_key(Relation relation) {
    return index_columns(server::primary_key_index(relation));
}

Bitmapset* replica_key(Relation relation) {
    if (identity_of(relation) == wire::Identity::nothing) return nullptr;
    return index_columns(RelationGetReplicaIndex(relation));
}

uint8 column_flags(Form_pg_attribute attribute, wire::Identity identity, Bitmapset* key,
                   Bitmapset* primary) {
    uint8 flags = 0;
    if (identity == wire::Identity::full || bms_is_member(attribute->attnum, key)) {
        flags |= wire::kColumnKey;
    }
    if (attribute->attnotnull) flags |= wire::kColumnNotNull;
    if (attribute->attgenerated != '\0') flags |= wire::kColumnGenerated;
    if (attribute->attidentity != '\0') flags |= wire::kColumnIdentity;
    if (bms_is_member(attribute->attnum, primary)) flags |= wire::kColumnPrimaryKey;
    return flags;
}

bool is_carried(Form_pg_attribute attribute) {
    return !attribute->attisdropped && server::is_stored(attribute);
}

void plan_mask(ColumnPlan* column, Form_pg_attribute attribute, MaskKind kind, const bytea* secret,
               int behind_last) {
    if (kind == MaskKind::null) {
        column->attribute = behind_last;
        return;
    }
    const bytea* own = nullptr;
    if (secret != nullptr) {
        own = reinterpret_cast<bytea*>(
            DatumGetPointer(datumCopy(PointerGetDatum(secret), false, -1)));
    }
    column->mask = make_mask(kind, attribute->atttypid, attribute->atttypmod, own);
    column->masked_access = column->value.access;
    column->value.access = Access::masked;
}

void plan_columns(Projection* projection, Relation relation, const Group& group,
                  const bytea* secret) {
    Bitmapset* chosen = group.columns;
    TupleDesc shape = RelationGetDescr(relation);
    Bitmapset* primary = primary_key(relation);
    Bitmapset* key = replica_key(relation);
    projection->identity = identity_of(relation);
    if (chosen != nullptr && projection->identity == wire::Identity::full) {
        // The whole old row is not theirs to see; check_columns() has seen to the primary key.
        projection->identity = wire::Identity::by_default;
        key = primary;
    }
    const auto room = static_cast<Size>(Max(shape->natts, 1));
    projection->columns = static_cast<ColumnPlan*>(palloc0(sizeof(ColumnPlan) * room));
    for (auto& found : projection->found) {
        found = static_cast<FoundValue*>(palloc0(sizeof(FoundValue) * room));
    }
    for (int i = 0; i < shape->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (!is_carried(attribute)) continue;
        if (chosen != nullptr && !bms_is_member(attribute->attnum, chosen)) continue;
        ColumnPlan* column = &projection->columns[projection->column_count++];
        column->attribute = i;
        column->number = attribute->attnum;
        column->name = pstrdup(NameStr(attribute->attname));
        column->value = plan_value(attribute->atttypid);
        projection->calls_output |= column->value.access == Access::output;
        column->flags = column_flags(attribute, projection->identity, key, primary);
        Oid output = InvalidOid;
        bool varlena = false;
        getTypeOutputInfo(attribute->atttypid, &output, &varlena);
        fmgr_info_cxt(output, &column->output, CurrentMemoryContext);
        if (group.masks == nullptr || group.masks[attribute->attnum] == 0) continue;
        plan_mask(column, attribute, mask_kind(group.masks[attribute->attnum]), secret,
                  shape->natts);
        projection->calls_output = true;
    }
}

void put_column(BufferWriter* out, const ColumnPlan& column, Form_pg_attribute attribute) {
    // A domain is carried as its base type. The name is schema-qualified unless it is in
    // pg_catalog, because that is all the pinned search path has.
    int32 typmod = attribute->atttypmod;
    const Oid type = getBaseTypeAndTypmod(attribute->atttypid, &typmod);
    out->put(wire::ColumnBody{type, typmod, attribute->attnum,
                              static_cast<uint8>(column.value.value_class), column.flags,
                              column.value.width, 0});
    out->put_text(name_to_utf8(column.name));
    out->put_text(name_to_utf8(format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN)));
}

void build_body(Projection* projection, Relation relation, const char* schema, const char* name,
                const Group& group) {
    StringInfoData body;
    initStringInfo(&body);
    BufferWriter out(&body);
    out.put(wire::RelationBody{
        RelationGetRelid(relation), 0, static_cast<uint8>(projection->identity),
        static_cast<uint8>(relation->rd_rel->relkind),
        static_cast<uint16>(projection->column_count), group.wanted_count, group.denied_count});
    out.put_text(name_to_utf8(schema));
    out.put_text(name_to_utf8(name));
    for (int i = 0; i < projection->column_count; ++i) {
        const ColumnPlan& column = projection->columns[i];
        put_column(&out, column, TupleDescAttr(RelationGetDescr(relation), column.number - 1));
    }
    for (int i = 0; i < group.wanted_count; ++i)
        out.put(group.wanted[i]);
    for (int i = 0; i < group.denied_count; ++i)
        out.put(group.denied[i]);
    for (int i = 0; group.refused && i < group.denied_count; ++i)
        out.put_text(name_to_utf8(group.reasons[i]));
    projection->body = body.data;
    projection->body_size = static_cast<Size>(body.len);
}

/// What an entry wants of the table, checked.
struct Fit {
    Bitmapset* columns;
    const MaskByNumber* masks;
    RowPredicate* predicate;
};

void require_secret(const TableEntry& entry, const bytea* secret) {
    for (int i = 0; i < entry.mask_count; ++i) {
        if (entry.masks[i].kind == MaskKind::hash) check_mask_secret(secret);
    }
}

void fit_entry(Relation relation, const TableEntry& entry, const bytea* secret, Fit* fit) {
    fit->columns = check_columns(relation, entry);
    fit->masks = check_masks(relation, entry);
    require_secret(entry, secret);
    if (entry.where == nullptr) return;
    const CheckedExpression checked = check_predicate(relation, entry.where);
    check_predicate_columns(relation, checked.columns);
    fit->predicate = compile_predicate(relation, checked);
}

/// Returns why it does not fit, or nullptr.
const char* try_to_fit(Relation relation, const TableEntry& entry, const bytea* secret, Fit* fit) {
    MemoryContext caller = CurrentMemoryContext;
    const char* volatile reason = nullptr;
    PG_TRY();
    { fit_entry(relation, entry, secret, fit); }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        ErrorData* error = CopyErrorData();
        const int category = ERRCODE_TO_CATEGORY(error->sqlerrcode);
        // A wrong expression or column; what is behind anything else is not the entry's fault.
        if (category != ERRCODE_TO_CATEGORY(ERRCODE_INVALID_PARAMETER_VALUE) &&
            category != ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR) &&
            category != ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED) &&
            category != ERRCODE_TO_CATEGORY(ERRCODE_FEATURE_NOT_SUPPORTED)) {
            PG_RE_THROW();
        }
        FlushErrorState();
        reason = psprintf("%s%s%s", error->message, error->detail != nullptr ? ": " : "",
                          error->detail != nullptr ? error->detail : "");
    }
    PG_END_TRY();
    return reason;
}

bool same_text(const char* one, const char* other) {
    return one == other || (one != nullptr && other != nullptr && strcmp(one, other) == 0);
}

bool same_masks(const MaskByNumber* one, const MaskByNumber* other, int columns) {
    if (one == nullptr || other == nullptr) return one == other;
    return memcmp(one, other, static_cast<Size>(columns) + 1) == 0;
}

Group* find_group(Group** groups, Relation relation, bool refused, const Fit& fit,
                  const char* where, int room) {
    const int columns = RelationGetDescr(relation)->natts;
    Group** link = groups;
    for (; *link != nullptr; link = &(*link)->next) {
        const Group& group = **link;
        if (group.refused == refused && bms_equal(group.columns, fit.columns) &&
            same_masks(group.masks, fit.masks, columns) && same_text(group.where, where)) {
            return *link;
        }
    }
    auto* group = static_cast<Group*>(palloc0(sizeof(Group)));
    const auto places = static_cast<Size>(room);
    group->refused = refused;
    group->columns = fit.columns;
    group->where = where;
    group->masks = fit.masks;
    group->predicate = fit.predicate;
    group->wanted = static_cast<uint32*>(palloc(sizeof(uint32) * places));
    group->denied = static_cast<uint32*>(palloc(sizeof(uint32) * places));
    group->reasons = static_cast<const char**>(palloc(sizeof(char*) * places));
    *link = group;
    return group;
}

void take_interest(Group** groups, Relation relation, const Interest& interest,
                   const Verdict& verdict, bool raises) {
    const TableEntry& entry = *interest.entry;
    const bool plain = entry.where == nullptr && entry.columns == nullptr && entry.masks == nullptr;
    Fit fit{};
    const char* reason = interest.refusal;
    if (reason != nullptr) {
        // Found out before.
    } else if (raises) {
        fit_entry(relation, entry, verdict.secret, &fit);
    } else if (interest.may_read) {
        reason = try_to_fit(relation, entry, verdict.secret, &fit);
    }
    // A plain subscription that may not read yet shares the records of those that may: it can go
    // on from there once it is allowed to. Any other must not see a share that is not its own.
    const bool refused = reason != nullptr || (!interest.may_read && !plain);
    if (refused) fit = {};
    Group* group =
        find_group(groups, relation, refused, fit, refused ? nullptr : entry.where, verdict.count);
    if (!refused && interest.may_read) {
        group->wanted[group->wanted_count++] = interest.subscription;
        return;
    }
    group->reasons[group->denied_count] = reason != nullptr ? reason : "";
    group->denied[group->denied_count++] = interest.subscription;
}

[[noreturn]] void refuse_columns(Relation relation, const char* reason, const char* hint) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("these columns of %s cannot be carried alone",
                           RelationGetRelationName(relation)),
                    errdetail("%s", reason), errhint("%s", hint)));
    pg_unreachable();
}

void check_key_is_listed(Relation relation, const Bitmapset* columns) {
    const bool full = identity_of(relation) == wire::Identity::full;
    Bitmapset* key = full ? primary_key(relation) : replica_key(relation);
    if (full && key == nullptr) {
        refuse_columns(relation, "Its rows are found by all columns together.",
                       "Add a primary key, or leave out \"columns\".");
    }
    for (int i = -1; (i = bms_next_member(key, i)) >= 0;) {
        if (bms_is_member(i, columns)) continue;
        const char* name = NameStr(TupleDescAttr(RelationGetDescr(relation), i - 1)->attname);
        refuse_columns(
            relation,
            psprintf("Column \"%s\" is part of what updates and deletes find rows by.", name),
            "List every column of the key.");
    }
}

}  // namespace

const char* why_not_as(Relation partition, Relation above) {
    if (identity_of(partition) == wire::Identity::full) return nullptr;
    const char* shown = quote_qualified_identifier(
        get_namespace_name(RelationGetNamespace(partition)), RelationGetRelationName(partition));
    if (identity_of(above) == wire::Identity::full) {
        return psprintf(
            "%s is REPLICA IDENTITY FULL and this partition is not: ALTER TABLE %s "
            "REPLICA IDENTITY FULL",
            RelationGetRelationName(above), shown);
    }
    const Bitmapset* wanted = replica_key(above);
    const Bitmapset* known = replica_key(partition);
    for (int i = -1; (i = bms_next_member(wanted, i)) >= 0;) {
        const char* name = NameStr(TupleDescAttr(RelationGetDescr(above), i - 1)->attname);
        if (bms_is_member(get_attnum(RelationGetRelid(partition), name), known)) continue;
        return psprintf(
            "its rows are found by column \"%s\", which is no part of the replica "
            "identity of this partition: ALTER TABLE %s REPLICA IDENTITY FULL",
            name, shown);
    }
    return nullptr;
}

Bitmapset* key_columns(Relation relation) {
    return bms_union(primary_key(relation), replica_key(relation));
}

Bitmapset* check_columns(Relation relation, const TableEntry& entry) {
    Bitmapset* columns = nullptr;
    for (int i = 0; i < entry.column_count; ++i) {
        const char* name = entry.columns[i];
        const AttrNumber number = get_attnum(RelationGetRelid(relation), name);
        if (number <= 0) {
            refuse_columns(relation, psprintf("There is no column \"%s\".", name),
                           "Name columns in their exact case.");
        }
        if (!is_carried(TupleDescAttr(RelationGetDescr(relation), number - 1))) {
            refuse_columns(relation, psprintf("Column \"%s\" is not stored.", name),
                           "Leave it out: it is computed from others.");
        }
        if (bms_is_member(number, columns)) {
            refuse_columns(relation, psprintf("Column \"%s\" is named twice.", name),
                           "Name it once.");
        }
        columns = bms_add_member(columns, number);
    }
    if (columns != nullptr) check_key_is_listed(relation, columns);
    return columns;
}

void check_predicate_columns(Relation relation, const Bitmapset* columns) {
    if (identity_of(relation) == wire::Identity::full) return;
    Bitmapset* key = replica_key(relation);
    // Without a key updates and deletes cannot be applied anyway.
    if (key == nullptr) return;
    for (int i = -1; (i = bms_next_member(columns, i)) >= 0;) {
        if (bms_is_member(i + 1, key)) continue;
        const char* name = RelationGetRelationName(relation);
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("the predicate on %s uses column \"%s\", whose old value is not known",
                        name, NameStr(TupleDescAttr(RelationGetDescr(relation), i)->attname)),
                 errdetail("Whether an update moves a row in or out can only be told from the "
                           "columns of the replica identity."),
                 errhint("ALTER TABLE %s REPLICA IDENTITY FULL;",
                         quote_qualified_identifier(
                             get_namespace_name(RelationGetNamespace(relation)), name))));
    }
}

Projection* build_projections(Relation relation, const char* schema, const char* name,
                              const Verdict& verdict, bool raises) {
    Group* groups = nullptr;
    for (int i = 0; i < verdict.count; ++i)
        take_interest(&groups, relation, verdict.interests[i], verdict, raises);
    Projection* first = nullptr;
    Projection** link = &first;
    for (Group* group = groups; group != nullptr; group = group->next) {
        auto* projection = static_cast<Projection*>(palloc0(sizeof(Projection)));
        plan_columns(projection, relation, *group, verdict.secret);
        projection->masks = group->masks != nullptr;
        projection->predicate = group->predicate;
        projection->wanted = group->wanted_count != 0;
        projection->wanted_ids = group->wanted;
        projection->wanted_count = group->wanted_count;
        projection->record_flags = static_cast<uint8>((group->refused ? wire::kFlagReasons : 0) |
                                                      (first != nullptr ? wire::kFlagAlso : 0));
        build_body(projection, relation, schema, name, *group);
        *link = projection;
        link = &projection->next;
    }
    return first;
}

}  // namespace fanout::plugin
