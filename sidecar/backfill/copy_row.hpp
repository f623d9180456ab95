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
#include "sidecar/backfill/piece_store.hpp"

namespace fanout::backfill {

/// Rows that were read together. Filled by a reader, then read-only.
class Piece {
  public:
    explicit Piece(std::size_t columns, std::shared_ptr<PieceStore> store = nullptr);
    ~Piece();
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;

    /// Adds the fields of one row of a binary COPY; header and trailer are passed over. False: not
    /// of this shape. `columns`: the same in each call.
    bool add(std::string_view copy_data, const fanout_column* columns);

    std::size_t rows() const { return rows_; }
    /// Not null, also of a table without columns.
    const fanout_value* row(std::size_t i) const {
        static constexpr fanout_value kNone{};
        return columns_ == 0 ? &kNone : memory_.values.data() + i * columns_;
    }
    /// What it takes up, with the change that is made of each row.
    std::size_t bytes() const {
        return bytes_ + rows_ * (columns_ * sizeof(fanout_value) + sizeof(fanout_change));
    }
    std::size_t payload_bytes() const { return bytes_; }

    /// It goes on where another piece has ended.
    void header_is_passed() { header_ = false; }

  private:
    /// How a field becomes a stored value.
    enum class Form : std::uint8_t { copied, reversed2, reversed4, reversed8, fixed, numeric };
    struct Column {
        Form form;
        std::uint16_t width;  // 0: any
        std::uint32_t type;
    };

    void learn(const fanout_column* columns);
    std::uint8_t* room(std::size_t size);
    bool add_row(std::string_view& data);
    static bool put(const Column& column, std::string_view field, std::uint8_t* place,
                    std::size_t& size);

    const std::size_t columns_;
    const std::shared_ptr<PieceStore> store_;
    PieceStore::Memory memory_;
    std::vector<PieceStore::Block> large_;  // for rows larger than a block
    std::vector<Column> forms_;
    std::size_t blocks_used_ = 0;
    std::size_t left_ = 0;
    std::uint8_t* next_ = nullptr;
    std::size_t bytes_ = 0;
    std::size_t rows_ = 0;
    bool header_ = true;
};

/// One field of a binary result in its stored form, as Piece::add makes it.
bool stored_form(const fanout_column& column, std::string_view field, std::string& out);

}  // namespace fanout::backfill
