// COPY … BINARY → fanout_value: what the server sends, as the stream would carry it.
//
// Values live in the piece they are read into, or in its file if they are large: then the row came
// without them, and they are put into it afterwards. Throws nothing; a row that is not of the shape
// is refused.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fanout/connector/abi.h"
#include "sidecar/backfill/piece_store.hpp"
#include "sidecar/backfill/value_file.hpp"

namespace fanout::backfill {

/// Rows that were read together. Filled by a reader, then read-only.
class Piece {
  public:
    explicit Piece(std::size_t columns, std::shared_ptr<PieceStore> store = nullptr);
    ~Piece();
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;

    /// Each row has one field more, which says what it came without.
    void expect_left_out() { leaves_out_ = true; }
    /// Adds the fields of one row of a binary COPY; header and trailer are passed over. False: not
    /// of this shape. `columns`: the same in each call.
    bool add(std::string_view copy_data, const fanout_column* columns);

    /// A row without its large values, and what its last field says of them.
    struct LeftOut {
        std::size_t row = 0;
        std::string what;
    };
    /// Of the rows added since the last call.
    std::vector<LeftOut> take_left_out() { return std::exchange(left_out_, {}); }
    /// Where the large values of its rows stand; made in `directory` if it is not there yet.
    Result<ValueFile*> file(const std::string& directory);
    void put(std::size_t row, std::size_t column, const fanout_value& value) {
        memory_.values[row * columns_ + column] = value;
    }
    /// One that is small after all.
    void put_copy(std::size_t row, std::size_t column, std::string_view bytes);
    /// The source cannot show the whole row.
    void refuse(std::size_t row, std::string why) { refused_[row] = std::move(why); }
    /// Null: it is whole.
    const std::string* refusal(std::size_t row) const {
        const auto found = refused_.find(row);
        return found == refused_.end() ? nullptr : &found->second;
    }

    std::size_t rows() const { return rows_; }
    /// Not null, also of a table without columns.
    const fanout_value* row(std::size_t i) const {
        static constexpr fanout_value kNone{};
        return columns_ == 0 ? &kNone : memory_.values.data() + i * columns_;
    }
    /// What it takes up in memory, with the change that is made of each row.
    std::size_t bytes() const {
        return bytes_ + rows_ * (columns_ * sizeof(fanout_value) + sizeof(fanout_change));
    }
    std::uint64_t file_bytes() const { return file_ ? file_->bytes() : 0; }
    std::uint64_t payload_bytes() const { return bytes_ + file_bytes(); }

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
    bool add_left_out(std::string_view& data);
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
    bool leaves_out_ = false;
    std::vector<LeftOut> left_out_;
    std::unique_ptr<ValueFile> file_;
    std::map<std::size_t, std::string> refused_;  // by row: why
};

/// The fields of a binary COPY of one column, null or not: message by message, field by field.
class CopyFields {
  public:
    /// The next message. False: it is none of such a COPY.
    bool begin(std::string_view copy_data);
    /// Nothing: the message has no more. Null fields are passed over.
    std::optional<std::string_view> next();

  private:
    std::string_view data_;
    bool header_ = true;
};

/// One field of a binary result in its stored form, as Piece::add makes it.
bool stored_form(const fanout_column& column, std::string_view field, std::string& out);

}  // namespace fanout::backfill
