// One catalog query per look. Classes and widths follow the worker's value_plan.cpp.
#include "sidecar/backfill/table_shape.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <sstream>

namespace fanout::backfill {
namespace {

struct FixedType {
    std::uint32_t oid;
    std::uint16_t width;
};

constexpr FixedType kFixed[] = {
    {16, 1},    {18, 1},    {21, 2},    {23, 4},   {20, 8},   {700, 4},  {701, 8}, {26, 4},
    {28, 4},    {5069, 8},  {1082, 4},  {1083, 8}, {1114, 8}, {1184, 8}, {790, 8}, {3220, 8},
    {1266, 12}, {1186, 16}, {2950, 16}, {829, 6},  {774, 8},  {600, 16},
};
constexpr std::uint32_t kPayload[] = {25, 1043, 1042, 142, 17, 114, 19};
/// Of these types values are equal exactly if what is stored is, where text's collation says so:
/// text, varchar, inet, cidr, time. Not numeric (1.0 and 1.00), char(n), interval, floats.
constexpr std::uint32_t kEqualAsBytes[] = {25, 1043, 869, 650, 1083};
constexpr std::uint32_t kNumeric = 1700, kXml = 142, kBytea = 17, kBpchar = 1042, kVarchar = 1043;

/// From how many bytes on a value is read apart from its row: by itself at most kLargeBytesMax, and
/// so that what is left of a row has about kRowBytesMax. The server makes up a row of less than
/// 1 GB, whatever the number of columns.
constexpr std::size_t kLargeBytesMax = 4U << 20, kLargeBytesMin = 256U << 10,
                      kRowBytesMax = 16U << 20;
/// lz4 makes at best a 255th of a value, so a large one has more than this in TOAST.
constexpr double kToastBytesMin = 16384;

// A row per column, or one without if there is none; the table's own facts stand in each. Whatever
// changes a shape writes new versions of these rows of the catalog (VACUUM and ANALYZE write theirs
// in place). The encodings that convert back are those that have a character of Unicode, and
// another, for each byte. Names that stand elsewhere, of the schema and of types, go in as text.
constexpr std::string_view kTable = R"(
WITH t AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.reltuples, c.relpages,
        md5(concat_ws('/', c.xmin, n.nspname,
            (SELECT string_agg(concat_ws(' ', a.attnum, a.xmin, format_type(a.atttypid, a.atttypmod)),
                ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),
            (SELECT string_agg(concat_ws(' ', i.indexrelid, i.xmin), ',' ORDER BY i.indexrelid)
                FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique))) AS stamp,
        format('%I.%I', n.nspname, c.relname) AS quoted,
        has_table_privilege($2, c.oid, 'SELECT') AS readable,
        has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid) AS reader_may,
        CASE WHEN $3::boolean THEN pg_table_size(c.oid) ELSE -1 END AS bytes,
        (SELECT max(pg_relation_size(x.reltoastrelid)) FROM pg_class x WHERE x.reltoastrelid <> 0
            AND x.oid IN (SELECT c.oid UNION SELECT p.relid FROM pg_partition_tree(c.oid) p))
            AS toast_bytes,
        CASE c.relreplident WHEN 'i'
            THEN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident
                AND i.indisvalid LIMIT 1)
            WHEN 'd' THEN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = c.oid
                AND i.indisprimary AND i.indimmediate AND i.indisvalid LIMIT 1) END AS identity,
        (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary
            AND i.indisvalid LIMIT 1) AS pkey
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = $1::oid AND c.relkind IN ('r', 'p'))
)";

constexpr std::string_view kColumns = R"(, base AS (
    SELECT a.*, (WITH RECURSIVE down AS (
            SELECT y.oid, y.typbasetype, y.typtype FROM pg_type y WHERE y.oid = a.atttypid
            UNION ALL
            SELECT y.oid, y.typbasetype, y.typtype FROM down d JOIN pg_type y
                ON y.oid = d.typbasetype WHERE d.typtype = 'd')
        SELECT d.oid FROM down d WHERE d.typtype <> 'd' LIMIT 1) AS base_type
    FROM pg_attribute a JOIN t ON a.attrelid = t.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated IN ('', 's'))
SELECT t.nspname, t.relname, t.quoted, t.relreplident, t.stamp, t.reltuples, t.relpages,
    t.relkind, t.bytes, t.readable, t.reader_may,
    a.attname, quote_ident(a.attname), a.base_type, a.atttypmod, a.attnum,
    format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated = 's',
    a.attidentity <> '',
    (SELECT p.place FROM (SELECT i.indkey[g] AS attnum, g AS place
        FROM pg_index i, generate_series(0, i.indnkeyatts - 1) AS g
        WHERE i.indexrelid = t.identity) p WHERE p.attnum = a.attnum),
    (SELECT p.place FROM (SELECT i.indkey[g] AS attnum, g AS place
        FROM pg_index i, generate_series(0, i.indnkeyatts - 1) AS g
        WHERE i.indexrelid = t.pkey) p WHERE p.attnum = a.attnum),
    a.attcollation IN (950, 951) OR a.attcollation = 100 AND (
        SELECT d.datcollate IN ('C', 'POSIX')
            AND coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c'
        FROM pg_database d WHERE d.datname = current_database()),
    EXISTS (SELECT FROM pg_cast x WHERE x.castsource = a.base_type
        AND x.casttarget = 'text'::regtype AND x.castmethod = 'f'),
    current_setting('server_encoding') NOT IN ('UTF8', 'SQL_ASCII'),
    current_setting('server_encoding') IN ('LATIN1', 'LATIN2', 'LATIN4', 'LATIN5', 'LATIN6', 'LATIN7',
        'LATIN8', 'LATIN9', 'LATIN10', 'ISO_8859_5', 'KOI8R', 'KOI8U', 'WIN866', 'WIN1256'), t.toast_bytes,
    a.attlen = -1 AND a.attstorage <> 'p',
    a.attcollation, format_type(a.base_type, -1),
    (SELECT quote_ident(n.nspname) FROM pg_index i CROSS JOIN generate_series(0, i.indnkeyatts - 1) AS g
        JOIN pg_opclass f ON f.oid = i.indclass[g] AND f.opcdefault
        JOIN pg_amop m ON m.amopfamily = f.opcfamily AND m.amoplefttype = f.opcintype
            AND m.amoprighttype = f.opcintype AND m.amopstrategy = 5
        JOIN pg_operator o ON o.oid = m.amopopr AND o.oprname = '>'
        JOIN pg_namespace n ON n.oid = o.oprnamespace
        WHERE i.indexrelid = CASE t.relreplident WHEN 'f' THEN t.pkey ELSE t.identity END
            AND i.indkey[g] = a.attnum AND i.indcollation[g] = a.attcollation LIMIT 1),
    NOT EXISTS (SELECT FROM pg_collation k WHERE k.oid = a.attcollation AND NOT k.collisdeterministic),
    (SELECT string_agg(concat_ws(' ', e.oid, e.enumlabel), chr(1)) FROM pg_enum e
        WHERE e.enumtypid = a.base_type)
FROM t LEFT JOIN base a ON true ORDER BY a.attnum)";

// By index, whatever the number of types there is (OFFSET 0 keeps the planner from joining whole
// catalogs). The types of the server itself keep their names. A cast to text that somebody has made
// would be in a chunk's select list, and is there instead of the output function.
constexpr std::string_view kNames = R"(
WITH RECURSIVE types AS (
    SELECT a.atttypid AS oid FROM pg_attribute a
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
    UNION
    SELECT y.next FROM types t CROSS JOIN LATERAL (SELECT greatest(y.typbasetype, y.typelem) AS next
        FROM pg_type y WHERE y.oid = t.oid OFFSET 0) y WHERE y.next >= 16384)
SELECT md5(concat_ws('/', n.xmin, to_regclass(format('%I.%I', n.nspname, c.relname)) = c.oid,
    (SELECT string_agg(concat_ws(' ', y.xmin, m.xmin), ',' ORDER BY t.oid) FROM types t
        CROSS JOIN LATERAL (SELECT y.xmin, y.typnamespace FROM pg_type y WHERE y.oid = t.oid OFFSET 0) y
        CROSS JOIN LATERAL (SELECT m.xmin FROM pg_namespace m WHERE m.oid = y.typnamespace OFFSET 0) m),
    (SELECT string_agg(concat_ws(' ', e.oid, e.xmin), ',' ORDER BY e.oid) FROM types t
        CROSS JOIN LATERAL (SELECT e.oid, e.xmin FROM pg_enum e WHERE e.enumtypid = t.oid OFFSET 0) e),
    (SELECT string_agg(x.oid::text, ',' ORDER BY x.oid) FROM pg_cast x
        WHERE x.casttarget = 'text'::regtype AND x.oid >= 16384)))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid)";

enum Field : std::size_t {
    kSchema,
    kName,
    kQuoted,
    kIdentity,
    kStamp,
    kTuples,
    kPages,
    kKind,
    kBytes,
    kReadable,
    kReaderMay,
    kColumn,
    kColumnQuoted,
    kType,
    kTypmod,
    kAttnum,
    kTypeName,
    kNotNull,
    kGenerated,
    kIdentityColumn,
    kKeyPlace,
    kPrimaryPlace,
    kCLike,
    kTextCast,
    kConverts,
    kConvertsBack,
    kToastBytes,
    kToastable,
    kCollation,
    kBaseTypeName,
    kOperators,
    kDeterministic,
    kLabels,
};

std::string text(const source::Row& row, Field field) {
    return row[field] ? *row[field] : std::string();
}

bool truth(const source::Row& row, Field field) {
    return text(row, field) == "t";
}

fanout_text view(const std::string& text) {
    return {text.data(), text.size()};
}

void classify(fanout_column& column) {
    for (const auto& fixed : kFixed) {
        if (fixed.oid != column.type_oid) continue;
        column.value_class = FANOUT_FIXED;
        column.width = fixed.width;
        return;
    }
    if (std::ranges::find(kPayload, column.type_oid) != std::end(kPayload)) {
        column.value_class = FANOUT_BYTES;
    } else {
        column.value_class = column.type_oid == kNumeric ? FANOUT_NUMERIC : FANOUT_TEXT_FORM;
    }
}

/// The text of the value, by its output function where that is how the stream has it.
std::string text_expression(const fanout_column& column, const std::string& quoted,
                            bool text_cast) {
    if (column.value_class != FANOUT_TEXT_FORM && column.type_oid != kXml) return quoted;
    if (!text_cast) return quoted + "::text";
    // The cast is a function of its own (inet's adds a mask); format() calls the output function.
    return "CASE WHEN " + quoted + " IS DISTINCT FROM NULL THEN format('%s', " + quoted + ") END";
}

/// What the server has to send so that the value is the stream's.
std::string expression(const fanout_column& column, const std::string& quoted,
                       const source::Row& row) {
    const bool text_cast = column.type_oid != kXml && truth(row, kTextCast);
    const std::string shown = text_expression(column, quoted, text_cast);
    const bool is_text = column.value_class == FANOUT_TEXT_FORM ||
                         (column.value_class == FANOUT_BYTES && column.type_oid != kBytea);
    if (!is_text || !truth(row, kConverts)) return shown;
    // char(n) loses its blanks on the way to text, unless the output function is asked.
    const bool blanks = column.type_oid == kBpchar;
    return "fanout._utf8(" + (blanks ? "textin(bpcharout(" + quoted + "))" : shown + "::text") +
           ")";
}

/// The column, or what stands for its values: of the same type, so that all else is the same.
std::string masked(const source::Row& row, const ColumnChoice& choice) {
    const std::string quoted = text(row, kColumnQuoted);
    const auto mask = choice.masks.find(text(row, kColumn));
    if (mask == choice.masks.end()) return quoted;
    return "fanout._mask(" + quoted + ", '" + mask->second + "', " + text(row, kTypmod) +
           ", (SELECT s.secret FROM fanout.mask_secret s))";
}

void add_column(TableShape& shape, const source::Row& row) {
    fanout_column column{};
    column.type_oid = static_cast<std::uint32_t>(std::stoul(text(row, kType)));
    column.typmod = std::stoi(text(row, kTypmod));
    column.attnum = static_cast<std::int16_t>(std::stoi(text(row, kAttnum)));
    classify(column);
    const bool full = text(row, kIdentity) == "f";
    if (full || row[kKeyPlace]) column.flags |= FANOUT_COLUMN_KEY;
    if (truth(row, kNotNull)) column.flags |= FANOUT_COLUMN_NOT_NULL;
    if (truth(row, kGenerated)) column.flags |= FANOUT_COLUMN_GENERATED;
    if (truth(row, kIdentityColumn)) column.flags |= FANOUT_COLUMN_IDENTITY;
    if (row[kPrimaryPlace]) column.flags |= FANOUT_COLUMN_PRIMARY_KEY;
    shape.texts.push_back(text(row, kColumn));
    shape.texts.push_back(text(row, kTypeName));
    shape.columns.push_back(column);
}

/// Could a value of it be large? No `numeric` is, nor is a short varchar.
bool may_be_large(const fanout_column& column, const source::Row& row) {
    if (!truth(row, kToastable) || column.value_class == FANOUT_NUMERIC) return false;
    constexpr int kTypmodOffset = 4, kCharacterBytesMax = 4;
    const bool limited = (column.type_oid == kVarchar || column.type_oid == kBpchar) &&
                         column.typmod >= kTypmodOffset;
    return !limited ||
           (column.typmod - kTypmodOffset) > static_cast<int>(kLargeBytesMin) / kCharacterBytesMax;
}

/// The select list that leaves out a value where its column's condition is true. A last field says
/// which those are.
std::string fields_without(const std::vector<std::string>& fields,
                           const std::vector<std::string>& conditions) {
    std::string list, any, which;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const std::string& left_out = conditions[i];
        if (!list.empty()) list += ", ";
        if (left_out.empty()) {
            list += fields[i];
            continue;
        }
        list += "CASE WHEN " + left_out + " THEN NULL ELSE " + fields[i] + " END";
        any += (any.empty() ? "" : " OR ") + left_out;
        which += ", CASE WHEN " + left_out + " THEN '" + std::to_string(i) + "' END";
    }
    if (any.empty()) return list;
    return list + ", CASE WHEN " + any + " THEN concat_ws(' ', tableoid::bigint, ctid" + which +
           ") END";
}

/// How rows are read. Tables without TOAST, or with a page of it, have no large values and are read
/// as they are: no compression makes so little of one.
void choose_fields(TableShape& shape, const std::vector<source::Row>& rows,
                   const ColumnChoice& choice) {
    const std::size_t count = rows.size();
    const bool has_toast =
        count != 0 && std::atof(text(rows[0], kToastBytes).c_str()) >= kToastBytesMin;
    const auto large = [&](std::size_t i) {
        return has_toast && may_be_large(shape.columns[i], rows[i]);
    };
    std::size_t any_large = 0;
    for (std::size_t i = 0; i < count; ++i)
        any_large += large(i) ? 1 : 0;
    const std::size_t limit = std::clamp(kRowBytesMax / std::max(any_large, std::size_t{1}),
                                         kLargeBytesMin, kLargeBytesMax);
    std::vector<std::string> fields(count), if_large(count), if_shown(count);
    shape.whole.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        shape.whole[i] = masked(rows[i], choice);
        fields[i] = expression(shape.columns[i], shape.whole[i], rows[i]);
        const std::string quoted = text(rows[i], kColumnQuoted);
        // A text shows more than is stored.
        const bool shown = shape.columns[i].value_class == FANOUT_TEXT_FORM;
        if (large(i))
            if_large[i] = "fanout._stored_bytes(" + quoted + ") > " +
                          std::to_string(shown ? limit / 4 : limit);
        if_shown[i] = shown ? quoted + " IS DISTINCT FROM NULL" : if_large[i];
    }
    shape.select_list = fields_without(fields, if_large);
    shape.careful_list = fields_without(fields, if_shown);
    shape.leaves_out = any_large != 0;
    shape.careful_leaves_out =
        std::ranges::any_of(if_shown, [](const auto& sql) { return !sql.empty(); });
}

/// What the server has to be asked with, where it alone knows the order.
ServerOrder server_order(const fanout_column& column, const source::Row& row) {
    ServerOrder order;
    order.column = column;
    order.select = expression(column, text(row, kColumnQuoted), row);
    // Of a literal without a type the column's collation, and none other, is the comparison's.
    if (text(row, kCollation) == "0") order.cast = "::" + text(row, kBaseTypeName);
    if (text(row, kOperators) != "pg_catalog") order.operators = text(row, kOperators);
    order.by = std::to_string(column.type_oid) + "/" + text(row, kCollation);
    if (!row[kLabels]) return order;
    std::istringstream labels(*row[kLabels]);
    for (std::string label; std::getline(labels, label, '\1');)
        order.labels.push_back(label);
    std::ranges::sort(order.labels);
    std::string all;
    for (const auto& label : order.labels)
        all += label + '\1';
    order.labels_hash = std::to_string(XXH3_64bits(all.data(), all.size()));
    return order;
}

/// The columns that changes are found by: of the replica identity's index, or of the primary key
/// where the whole old row is there.
void find_key(TableShape& shape, const std::vector<source::Row>& rows, const ColumnChoice& choice) {
    const Field place = shape.table.identity == 'f' ? kPrimaryPlace : kKeyPlace;
    std::vector<std::pair<int, std::size_t>> order;
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (rows[i][place]) order.emplace_back(std::stoi(*rows[i][place]), i);
    std::sort(order.begin(), order.end());
    shape.keyed = !order.empty();
    KeyShape key;
    key.equal_as_bytes = true;
    for (const auto& [at, i] : order) {
        const auto& row = rows[i];
        // Where keys are hashed, the stream's are not those of the index.
        if (choice.masks.contains(text(row, kColumn))) return;
        // In UTF-8 the order of bytes may be another.
        const bool as_bytes = truth(row, kCLike) && !truth(row, kConverts);
        const KeyKind kind = key_kind(shape.columns[i].type_oid, as_bytes);
        const bool is_text = shape.columns[i].value_class == FANOUT_BYTES ||
                             shape.columns[i].value_class == FANOUT_TEXT_FORM;
        // What is converted on the way may not come back as it was.
        const bool converted = is_text && kind != KeyKind::bytes && truth(row, kConverts) &&
                               !truth(row, kConvertsBack);
        if (converted || (kind == KeyKind::server && !row[kOperators])) return;
        key.equal_as_bytes =
            key.equal_as_bytes && (kind != KeyKind::server ||
                                   (truth(row, kDeterministic) &&
                                    std::ranges::find(kEqualAsBytes, shape.columns[i].type_oid) !=
                                        std::end(kEqualAsBytes)));
        key.kinds.push_back(kind);
        key.columns.push_back(text(row, kColumn));
        key.quoted.push_back(text(row, kColumnQuoted));
        key.orders.push_back(server_order(shape.columns[i], row));
    }
    if (std::ranges::find(key.kinds, KeyKind::server) == key.kinds.end()) key.orders.clear();
    if (shape.keyed) shape.key = std::move(key);
}

bool same_text(fanout_text a, fanout_text b) {
    return std::string_view(a.data, a.size) == std::string_view(b.data, b.size);
}

}  // namespace

bool TableShape::same_shape(const fanout_table& other) const {
    return other.oid == table.oid && other.identity == table.identity &&
           same_text(other.schema, table.schema) && same_text(other.name, table.name) &&
           std::equal(columns.begin(), columns.end(), other.columns,
                      other.columns + other.column_count,
                      [](const fanout_column& a, const fanout_column& b) {
                          return same_text(a.name, b.name) && same_text(a.type_name, b.type_name) &&
                                 a.type_oid == b.type_oid && a.typmod == b.typmod &&
                                 a.attnum == b.attnum && a.width == b.width &&
                                 a.value_class == b.value_class && a.flags == b.flags;
                      });
}

namespace {

std::string text_of(const ColumnChoice& choice) {
    std::string text;
    for (const auto& column : choice.columns)
        text += column + '\1';
    for (const auto& [column, mask] : choice.masks)
        text += '\2' + column + '\1' + mask;
    return text;
}

bool has_toast(const std::optional<std::string>& toast_bytes) {
    return toast_bytes && std::atof(toast_bytes->c_str()) >= kToastBytesMin;
}

}  // namespace

Result<bool> is_still(source::SourceConnection& session, const TableShape& shape,
                      const std::string& owner, const ColumnChoice& choice) {
    static const std::string sql =
        std::string(kTable) + "SELECT t.stamp, t.toast_bytes, (" + std::string(kNames) + ") FROM t";
    const auto result = session.query_prepared("table_still", sql,
                                               {std::to_string(shape.table.oid), owner, "false"});
    if (!result.ok()) return Status::retry(result.error->message);
    if (result.rows.empty()) return false;
    const auto& row = result.rows.front();
    const auto& stamp = row[0];
    const auto& names = row[2];
    return stamp && names && *names == shape.names && text_of(choice) == shape.of_choice &&
           has_toast(row[1]) == shape.has_toast &&
           shape.stamp.starts_with(*stamp + "/" + *names + "/");
}

Result<std::string> read_names(source::SourceConnection& session, Oid32 oid) {
    static const std::string sql(kNames);
    const auto result = session.query_prepared("table_names", sql, {std::to_string(oid)});
    if (!result.ok()) return Status::retry(result.error->message);
    return result.rows.empty() || !result.rows[0][0] ? std::string() : *result.rows[0][0];
}

Result<std::shared_ptr<TableShape>> read_shape(source::SourceConnection& session, Oid32 oid,
                                               const std::string& owner, const ColumnChoice& choice,
                                               SizeToo size) {
    const auto names = read_names(session, oid);
    if (!names.is_ok()) return names.status();
    static const std::string sql = std::string(kTable) + std::string(kColumns);
    auto result = session.query_prepared(
        "table_shape", sql, {std::to_string(oid), owner, size == SizeToo::yes ? "true" : "false"});
    if (!result.ok()) return Status::retry(result.error->message);
    if (result.rows.empty()) return std::shared_ptr<TableShape>();
    if (!choice.columns.empty())
        std::erase_if(result.rows, [&](const source::Row& row) {
            return std::ranges::find(choice.columns, text(row, kColumn)) == choice.columns.end();
        });
    if (result.rows.empty()) return Status::retry("none of the columns is there");
    auto shape = std::make_shared<TableShape>();
    const source::Row first = result.rows.front();
    if (!first[kColumn]) result.rows.clear();
    shape->schema = text(first, kSchema);
    shape->name = text(first, kName);
    shape->quoted = text(first, kQuoted);
    shape->rows_of = (text(first, kKind) == "p" ? "" : "ONLY ") + shape->quoted;
    shape->readable = truth(first, kReadable);
    shape->reader_may = truth(first, kReaderMay);
    shape->bytes_estimate = std::atof(text(first, kBytes).c_str());
    shape->rows_estimate = std::atof(text(first, kTuples).c_str());
    shape->texts.reserve(result.rows.size() * 2);
    for (const auto& row : result.rows)
        add_column(*shape, row);
    choose_fields(*shape, result.rows, choice);
    for (std::size_t i = 0; i < shape->columns.size(); ++i) {
        shape->columns[i].name = view(shape->texts[2 * i]);
        shape->columns[i].type_name = view(shape->texts[2 * i + 1]);
    }
    shape->table.oid = oid;
    shape->table.schema = view(shape->schema);
    shape->table.name = view(shape->name);
    shape->table.columns = shape->columns.data();
    shape->table.column_count = shape->columns.size();
    // Apart from all versions of the stream's own.
    static std::atomic<std::uint64_t> versions{0};
    shape->table.version = (std::uint64_t{1} << 63) | ++versions;
    shape->table.identity = text(first, kIdentity)[0];
    find_key(*shape, result.rows, choice);
    const auto choice_hash = XXH3_64bits(shape->select_list.data(), shape->select_list.size());
    shape->names = names.value();
    shape->of_choice = text_of(choice);
    shape->has_toast = has_toast(first[kToastBytes]);
    shape->stamp = text(first, kStamp) + "/" + shape->names + "/" + std::to_string(choice_hash);
    return shape;
}

}  // namespace fanout::backfill
