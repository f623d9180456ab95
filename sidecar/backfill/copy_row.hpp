// COPY … BINARY → fanout_value: what the server sends, as the stream would carry it.
//
// Values live in the piece they are read into. Throws nothing; a row that is not of the shape is
// refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "fanout/connector/abi.h"

namespace fanout::backfill {

/// Rows that were read together. Filled by a reader, then read-only.
class Piece {
  public:
    explicit Piece(std::size_t columns) : columns_(columns) {}

    /// Adds the fields of one row of a binary COPY; header and trailer are passed over. False: not
    /// of this shape.
    bool add(std::string_view copy_data, const fanout_column* columns);

    std::size_t rows() const { return columns_ == 0 ? empty_rows_ : values_.size() / columns_; }
    const fanout_value* row(std::size_t i) const { return values_.data() + i * columns_; }
    std::size_t bytes() const { return bytes_ + values_.size() * sizeof(fanout_value); }
    std::size_t payload_bytes() const { return bytes_; }

    /// It goes on where another piece has ended.
    void header_is_passed() { header_ = false; }

  private:
    std::uint8_t* room(std::size_t size);
    bool add_value(const fanout_column& column, std::string_view field);

    const std::size_t columns_;
    std::vector<fanout_value> values_;
    std::vector<std::unique_ptr<std::uint8_t[]>> blocks_;
    std::size_t left_ = 0;
    std::uint8_t* next_ = nullptr;
    std::size_t bytes_ = 0;
    std::size_t empty_rows_ = 0;
    bool header_ = true;
};

/// One field of a binary result in its stored form, as Piece::add makes it.
bool stored_form(const fanout_column& column, std::string_view field, std::string& out);

}  // namespace fanout::backfill
