#include "sqlite/row_binder.hpp"

#include <cmath>

#include "_kit/json_text.hpp"
#include "_kit/network_order.hpp"
#include "_kit/value_text.hpp"
#include "fanout/connector/connector.hpp"

namespace fanout::sqlite_target {
namespace {

constexpr std::size_t kDescribedBytes = 200;

std::string_view bytes_of(const fanout_value& value) {
    return {reinterpret_cast<const char*>(value.data), value.size};
}

}  // namespace

void RowBinder::bind(Statement& statement, int at, Storage storage, const fanout_column& column,
                     const fanout_value& value) {
    if (value.state != FANOUT_PRESENT) return statement.bind_null(at);
    switch (storage) {
        case Storage::boolean:
            return statement.bind_integer(at, *value.data != 0 ? 1 : 0);
        case Storage::int2:
            return statement.bind_integer(at, kit::load<std::int16_t>(value.data));
        case Storage::int4:
            return statement.bind_integer(at, kit::load<std::int32_t>(value.data));
        case Storage::int8:
            return statement.bind_integer(at, kit::load<std::int64_t>(value.data));
        case Storage::oid:
            return statement.bind_integer(at, kit::load<std::uint32_t>(value.data));
        case Storage::float4:
            return bind_float(statement, at, column,
                              static_cast<double>(kit::load<float>(value.data)));
        case Storage::float8:
            return bind_float(statement, at, column, kit::load<double>(value.data));
        case Storage::blob:
            return statement.bind_blob(at, bytes_of(value));
        case Storage::text:
            break;
    }
    if (column.value_class == FANOUT_BYTES || column.value_class == FANOUT_TEXT_FORM)
        return bind_text(statement, at, column, value);
    scratch_.clear();
    kit::append_text(scratch_, column, value);
    statement.bind_text_copy(at, scratch_);
}

/// SQLite turns a NaN into NULL by itself: as text it survives, also in a column declared REAL.
void RowBinder::bind_float(Statement& statement, int at, const fanout_column& column,
                           double value) const {
    if (!std::isnan(value)) return statement.bind_real(at, value);
    if (kit::becomes_null(policy_, column, "NaN")) return statement.bind_null(at);
    statement.bind_text(at, "NaN");
}

void RowBinder::bind_text(Statement& statement, int at, const fanout_column& column,
                          const fanout_value& value) {
    if (kit::is_utf8(bytes_of(value))) return statement.bind_text(at, bytes_of(value));
    if (kit::becomes_null(policy_, column, "bytes that are not UTF-8"))
        return statement.bind_null(at);
    scratch_.clear();
    kit::append_bytes_as_hex(scratch_, value);
    statement.bind_text_copy(at, scratch_);
}

std::string describe_row(const fanout_table& table, const RowFinder& finder,
                         const fanout_value* image) {
    if (image == nullptr || finder.columns.empty()) return "(a row without a key)";
    std::string names, values;
    for (const std::size_t i : finder.columns) {
        const fanout_column& column = table.columns[i];
        if (!names.empty()) {
            names += ", ";
            values += ", ";
        }
        names += connector::view(column.name);
        if (image[i].state == FANOUT_PRESENT)
            values += kit::value_text(column, image[i]);
        else
            values += "null";
        if (values.size() > kDescribedBytes) {
            values.resize(kDescribedBytes);
            values += "…";
            break;
        }
    }
    return "(" + names + ") = (" + values + ")";
}

}  // namespace fanout::sqlite_target
