// See row_key.hpp.
#include "sidecar/letters/row_key.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <optional>

namespace fanout::letters {
namespace {

constexpr std::uint32_t kFloat4 = 700, kFloat8 = 701;

/// The columns a row is found by; without an identity those of the primary key.
std::uint8_t key_flag(const fanout_table& table) {
    for (std::size_t i = 0; i < table.column_count; ++i)
        if ((table.columns[i].flags & FANOUT_COLUMN_KEY) != 0) return FANOUT_COLUMN_KEY;
    return FANOUT_COLUMN_PRIMARY_KEY;
}

/// Equal values have equal bytes. Not so numerics without a scale (1.0 and 1.00), zeros of floats,
/// and what only the type's own operator can compare.
bool comparable(const fanout_column& column) {
    switch (column.value_class) {
        case FANOUT_FIXED:
            return column.type_oid != kFloat4 && column.type_oid != kFloat8;
        case FANOUT_BYTES:
            return true;
        case FANOUT_NUMERIC:
            return column.typmod != -1;
        default:
            return false;
    }
}

class KeyHash {
  public:
    explicit KeyHash(const fanout_table& table) : table_(table), flag_(key_flag(table)) {}

    bool has_columns() const {
        return std::any_of(table_.columns, table_.columns + table_.column_count,
                           [this](const auto& column) { return is_key(column); });
    }

    std::uint64_t shape() const {
        std::uint64_t hash = table_.oid;
        for (std::size_t i = 0; i < table_.column_count; ++i) {
            const auto& column = table_.columns[i];
            if (!is_key(column)) continue;
            const std::int64_t parts[] = {column.attnum, column.type_oid, column.typmod,
                                          column.value_class};
            hash = XXH3_64bits_withSeed(parts, sizeof parts, hash);
        }
        return hash;
    }

    /// Nothing if a value of the key is in neither image.
    std::optional<std::uint64_t> row(const fanout_value* image, const fanout_value* other) const {
        std::uint64_t hash = table_.oid;
        for (std::size_t i = 0; i < table_.column_count; ++i) {
            if (!is_key(table_.columns[i]) || !comparable(table_.columns[i])) continue;
            const auto* value = &image[i];
            if (value->state == FANOUT_UNCHANGED && other != nullptr) value = &other[i];
            if (value->state != FANOUT_PRESENT && value->state != FANOUT_NULL) return {};
            const std::uint64_t state = value->state;
            hash = XXH3_64bits_withSeed(&state, sizeof state, hash);
            if (value->state == FANOUT_PRESENT)
                hash = XXH3_64bits_withSeed(value->data, value->size, hash);
        }
        return hash;
    }

  private:
    bool is_key(const fanout_column& column) const { return (column.flags & flag_) != 0; }

    const fanout_table& table_;
    const std::uint8_t flag_;
};

}  // namespace

RowKey row_key(const fanout_change& change) {
    RowKey key;
    const KeyHash hash(*change.table);
    key.shape = hash.shape();
    if (!hash.has_columns()) {
        // A row that comes is a new one; which one leaves or changes, nobody knows.
        key.any = change.op == FANOUT_UPDATE || change.op == FANOUT_DELETE;
        return key;
    }
    for (const auto* image : {change.before, change.after}) {
        if (image == nullptr) continue;
        const auto row = hash.row(image, image == change.after ? change.before : change.after);
        if (!row) {
            key.any = true;
        } else if (std::ranges::find(key.rows, *row) == key.rows.end()) {
            key.rows.push_back(*row);
        }
    }
    return key;
}

bool may_be_one_row(const RowKey& one, const RowKey& other) {
    if (one.any || other.any) return true;
    if (one.rows.empty() || other.rows.empty()) return false;
    if (one.shape != other.shape) return true;
    return std::ranges::any_of(one.rows, [&](const auto row) {
        return std::ranges::find(other.rows, row) != other.rows.end();
    });
}

std::uint64_t row_hash(const fanout_change& change) {
    std::uint64_t hash = change.table->oid;
    for (std::size_t i = 0; i < change.table->column_count; ++i) {
        const auto& value = change.after[i];
        hash = XXH3_64bits_withSeed(&value.state, sizeof value.state, hash);
        if (value.state == FANOUT_PRESENT)
            hash = XXH3_64bits_withSeed(value.data, value.size, hash);
    }
    return hash;
}

}  // namespace fanout::letters
