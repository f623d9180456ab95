// See large_values.hpp.
#include "sidecar/backfill/chunk/large_values.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "fanout/base/fault_point.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::backfill {
namespace {

/// libpq holds one of them twice.
constexpr const char* kPieceBytes = "524288";
constexpr const char* kMasked = "the error's text is not shown, for values of the table are masked";

}  // namespace

Status LargeValues::begin() {
    return job_.leaves_out() ? source_.begin_beside(*job_.shape) : Status::ok();
}

Status LargeValues::end() {
    return job_.leaves_out() ? source_.end_beside() : Status::ok();
}

Status LargeValues::complete(Piece& piece) {
    for (const auto& left_out : piece.take_left_out()) {
        FANOUT_FAULT_HERE("copy.row_read");
        const auto place = place_of(left_out.what);
        if (!place.is_ok()) return place.status();
        if (auto done = complete_row(piece, left_out.row, place.value()); !done.is_ok())
            return done;
    }
    return Status::ok();
}

/// "table ctid column column …", as TableShape's select list makes it.
Result<LargeValues::Place> LargeValues::place_of(const std::string& what) const {
    std::istringstream in(what);
    std::string table, tuple;
    Place place;
    in >> table >> tuple;
    for (std::size_t column = 0; in >> column;)
        place.columns.push_back(column);
    const auto digits = [](const std::string& text, const char* others) {
        return !text.empty() &&
               text.find_first_not_of(std::string("0123456789") + others) == std::string::npos;
    };
    const bool known = std::ranges::all_of(
        place.columns, [&](std::size_t column) { return column < job_.shape->whole.size(); });
    if (!digits(table, "") || !digits(tuple, "(,)") || !known)
        return Status::retry("a row of " + job_.shape->quoted + " came in an unknown form");
    place.row = "tableoid = " + table + " AND ctid = '" + tuple + "'";
    return place;
}

Status LargeValues::complete_row(Piece& piece, std::size_t row, const Place& place) {
    for (const std::size_t column : place.columns) {
        const std::string sql = "COPY (SELECT fanout._pieces(" + job_.shape->whole[column] + ", " +
                                kPieceBytes + ") FROM " + job_.shape->rows_of + " WHERE " +
                                place.row + ") TO STDOUT (FORMAT binary)";
        if (auto done = read_value(sql, piece); !done.is_ok()) {
            if (!is_of_a_row(error_)) return done;
            // The error has ended the transaction, not the snapshot: the rows' own has that, too.
            const auto name = name_of(place);
            if (!name.is_ok()) return name.status();
            piece.refuse(row, "the row " + name.value() + " of " + job_.shape->quoted +
                                  " cannot be read at the source: " +
                                  (job_.masks.empty() ? error_.message : kMasked));
            return Status::ok();
        }
        if (auto done = is_null_ ? find(place) : Status::ok(); !done.is_ok()) return done;
        if (auto done = put(piece, row, column); !done.is_ok()) return done;
    }
    return Status::ok();
}

/// It has to be there; if not, its table's name is another's by now.
Status LargeValues::find(const Place& place) {
    const auto found =
        source_.eyes().query("SELECT FROM " + job_.shape->rows_of + " WHERE " + place.row);
    if (!found.ok()) return Status::retry(found.error->message);
    if (!found.rows.empty()) return Status::ok();
    return Status::retry("a row of " + job_.shape->quoted + " is not found again");
}

/// By a binary COPY of one column, a row a piece; no row if it is null.
Status LargeValues::read_value(const std::string& sql, Piece& piece) {
    using Step = source::SourceConnection::CopyStep;
    error_ = {};
    is_null_ = true;
    first_.clear();
    file_ = nullptr;
    if (const auto error = source_.start_copy_beside(sql)) {
        error_ = *error;
        return Status::retry(error_.message);
    }
    std::string_view data;
    auto step = Step::data;
    for (CopyFields fields; (step = source_.next_row_beside(data)) == Step::data;) {
        if (!fields.begin(data)) return Status::retry("a large value came in an unknown form");
        while (const auto field = fields.next())
            if (auto done = keep(*field, piece); !done.is_ok()) return done;
    }
    if (step == Step::end) return Status::ok();
    error_ = source_.eyes().copy_error();
    return Status::retry(error_.message);
}

Status LargeValues::keep(std::string_view bytes, Piece& piece) {
    if (is_null_) {
        is_null_ = false;
        first_ = bytes;
        return Status::ok();
    }
    if (file_ == nullptr) {
        const auto file = piece.file(directory_);
        if (!file.is_ok()) return file.status();
        file_ = file.value();
        file_->begin();
        if (auto done = file_->append(first_); !done.is_ok()) return done;
    }
    return file_->append(bytes);
}

Status LargeValues::put(Piece& piece, std::size_t row, std::size_t column) {
    if (is_null_) return Status::ok();
    if (file_ == nullptr) {
        piece.put_copy(row, column, first_);
        return Status::ok();
    }
    const auto value = file_->end();
    if (!value.is_ok()) return value.status();
    piece.put(row, column, value.value());
    return Status::ok();
}

/// The row's key, in words; else where it stands.
Result<std::string> LargeValues::name_of(const Place& place) {
    if (auto done = source_.begin_beside(*job_.shape); !done.is_ok()) return done;
    std::string columns, values;
    for (const auto& column : job_.shape->columns) {
        if ((column.flags & FANOUT_COLUMN_KEY) == 0 || job_.shape->table.identity == 'f') continue;
        const std::string name(column.name.data, column.name.size);
        if (job_.masks.contains(name)) continue;
        std::string quoted;
        for (const char c : name)
            quoted += c == '"' ? "\"\"" : std::string(1, c);
        columns += (columns.empty() ? "" : ", ") + name;
        values += (values.empty() ? "" : " || ', ' || ") + ("left(\"" + quoted + "\"::text, 200)");
    }
    if (columns.empty()) return "where " + place.row;
    const auto result = source_.eyes().query("SELECT " + values + " FROM " + job_.shape->rows_of +
                                             " WHERE " + place.row);
    if (!result.ok()) return Status::retry(result.error->message);
    if (result.rows.empty() || !result.rows[0][0]) return "where " + place.row;
    return "(" + columns + ")=(" + *result.rows[0][0] + ")";
}

}  // namespace fanout::backfill
