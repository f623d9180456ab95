// Fixed types are turned from network order field by field; numeric gets its short or long header
// back; payloads and text stay as they are.
#include "sidecar/backfill/copy_row.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace fanout::backfill {
namespace {

constexpr std::string_view kSignature{"PGCOPY\n\377\r\n\0", 11};
constexpr std::size_t kHeaderBytes = 19;

bool take_header(std::string_view& data) {
    if (data.size() < kHeaderBytes || data.substr(0, kSignature.size()) != kSignature) return false;
    data.remove_prefix(kHeaderBytes);
    return true;
}

std::uint16_t load16(const char* at) {
    std::uint16_t value;
    std::memcpy(&value, at, sizeof value);
    return __builtin_bswap16(value);
}

std::uint32_t load32(const char* at) {
    std::uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

template <typename T, T (*swap)(T)>
void reverse_as(const char* from, std::uint8_t* to) {
    T value;
    std::memcpy(&value, from, sizeof value);
    value = swap(value);
    std::memcpy(to, &value, sizeof value);
}

std::uint16_t swap16(std::uint16_t value) {
    return __builtin_bswap16(value);
}
std::uint32_t swap32(std::uint32_t value) {
    return __builtin_bswap32(value);
}
std::uint64_t swap64(std::uint64_t value) {
    return __builtin_bswap64(value);
}

void reverse(const char* from, std::uint8_t* to, std::size_t width) {
    std::reverse_copy(from, from + width, to);
}

/// What is sent as several numbers: timetz 8 4, interval 8 4 4, point 8 8. The rest is one number,
/// or bytes that keep their order.
void copy_fixed(std::uint32_t type, const char* from, std::uint8_t* to, std::size_t width) {
    switch (type) {
        case 2950:  // uuid
        case 829:   // macaddr
        case 774:   // macaddr8
            std::memcpy(to, from, width);
            return;
        case 1266:
            reverse(from, to, 8);
            reverse(from + 8, to + 8, 4);
            return;
        case 1186:
            reverse(from, to, 8);
            reverse(from + 8, to + 8, 4);
            reverse(from + 12, to + 12, 4);
            return;
        case 600:
            reverse(from, to, 8);
            reverse(from + 8, to + 8, 8);
            return;
        default:
            reverse(from, to, width);
    }
}

constexpr std::uint16_t kSendNegative = 0x4000, kSendSpecial = 0xC000;
constexpr std::uint16_t kShort = 0x8000, kShortNegative = 0x2000;
constexpr int kShortWeightMax = 63, kShortWeightMin = -64, kShortScaleMax = 63;

/// Size of the stored form, 0 if `field` is no numeric. `to` has room for field.size() bytes.
std::size_t numeric_stored(std::string_view field, std::uint8_t* to) {
    if (field.size() < 8) return 0;
    const std::uint16_t count = load16(field.data()), sign = load16(field.data() + 4),
                        scale = load16(field.data() + 6);
    const auto weight = static_cast<std::int16_t>(load16(field.data() + 2));
    if (field.size() != 8 + std::size_t{count} * 2) return 0;
    if ((sign & kSendSpecial) == kSendSpecial) {
        std::memcpy(to, &sign, sizeof sign);
        return sizeof sign;
    }
    std::size_t size = 0;
    if (scale <= kShortScaleMax && weight <= kShortWeightMax && weight >= kShortWeightMin) {
        const auto header =
            static_cast<std::uint16_t>(kShort | (sign == kSendNegative ? kShortNegative : 0) |
                                       (scale << 7) | (weight < 0 ? 0x40 : 0) | (weight & 0x3F));
        std::memcpy(to, &header, sizeof header);
        size = sizeof header;
    } else {
        const auto header = static_cast<std::uint16_t>(sign | scale);
        std::memcpy(to, &header, sizeof header);
        std::memcpy(to + 2, &weight, sizeof weight);
        size = 4;
    }
    for (std::uint16_t i = 0; i < count; ++i) {
        const std::uint16_t digit = load16(field.data() + 8 + i * 2);
        std::memcpy(to + size, &digit, sizeof digit);
        size += sizeof digit;
    }
    return size;
}

}  // namespace

Piece::Piece(std::size_t columns, std::shared_ptr<PieceStore> store)
    : columns_(columns), store_(std::move(store)) {
    if (store_) memory_ = store_->take();
}

Piece::~Piece() {
    if (store_) store_->give(std::move(memory_));
}

void Piece::learn(const fanout_column* columns) {
    for (std::size_t i = 0; i < columns_; ++i) {
        const fanout_column& column = columns[i];
        Column form{Form::copied, 0, column.type_oid};
        if (column.value_class == FANOUT_NUMERIC) form.form = Form::numeric;
        if (column.value_class == FANOUT_FIXED) {
            form = {Form::fixed, column.width, column.type_oid};
            const bool one_number = column.type_oid != 774;  // macaddr8: bytes in their order
            if (column.width == 1) form.form = Form::copied;
            if (column.width == 2) form.form = Form::reversed2;
            if (column.width == 4) form.form = Form::reversed4;
            if (column.width == 8 && one_number) form.form = Form::reversed8;
        }
        forms_.push_back(form);
    }
}

/// Bytes in a row, of which the caller takes what it needs.
std::uint8_t* Piece::room(std::size_t size) {
    if (size <= left_) return next_;
    if (size > PieceStore::kBlockBytes)
        return large_.emplace_back(std::make_unique_for_overwrite<std::uint8_t[]>(size)).get();
    auto& blocks = memory_.blocks;
    if (blocks_used_ == blocks.size())
        blocks.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(PieceStore::kBlockBytes));
    next_ = blocks[blocks_used_++].get();
    left_ = PieceStore::kBlockBytes;
    return next_;
}

bool Piece::put(const Column& column, std::string_view field, std::uint8_t* place,
                std::size_t& size) {
    size = field.size();
    if (column.width != 0 && size != column.width) return false;
    switch (column.form) {
        case Form::copied:
            if (size != 0) std::memcpy(place, field.data(), size);
            return true;
        case Form::reversed2:
            reverse_as<std::uint16_t, swap16>(field.data(), place);
            return true;
        case Form::reversed4:
            reverse_as<std::uint32_t, swap32>(field.data(), place);
            return true;
        case Form::reversed8:
            reverse_as<std::uint64_t, swap64>(field.data(), place);
            return true;
        case Form::fixed:
            copy_fixed(column.type, field.data(), place, size);
            return true;
        case Form::numeric:
            size = numeric_stored(field, place);
            return size != 0;
    }
    return false;
}

/// `data` stands behind the number of fields, and goes on behind the row.
bool Piece::add_row(std::string_view& data) {
    std::uint8_t* const start = room(data.size());
    std::uint8_t* place = start;
    for (const Column& column : forms_) {
        if (data.size() < 4) return false;
        const std::uint32_t length = load32(data.data());
        data.remove_prefix(4);
        if (length == 0xFFFFFFFF) {
            memory_.values.push_back({nullptr, 0, FANOUT_NULL});
            continue;
        }
        std::size_t size = 0;
        if (data.size() < length || !put(column, data.substr(0, length), place, size)) return false;
        memory_.values.push_back({place, static_cast<std::uint32_t>(size), FANOUT_PRESENT});
        place += size;
        data.remove_prefix(length);
    }
    if (leaves_out_ && !add_left_out(data)) return false;
    const auto used = static_cast<std::size_t>(place - start);
    bytes_ += used;
    if (start == next_) {
        next_ += used;
        left_ -= used;
    }
    ++rows_;
    return true;
}

bool Piece::add_left_out(std::string_view& data) {
    if (data.size() < 4) return false;
    const std::uint32_t length = load32(data.data());
    data.remove_prefix(4);
    if (length == 0xFFFFFFFF) return true;
    if (data.size() < length) return false;
    left_out_.push_back({rows_, std::string(data.substr(0, length))});
    data.remove_prefix(length);
    return true;
}

void Piece::put_copy(std::size_t row, std::size_t column, std::string_view bytes) {
    std::uint8_t* const place = room(bytes.size());
    if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
    if (place == next_) {
        next_ += bytes.size();
        left_ -= bytes.size();
    }
    bytes_ += bytes.size();
    put(row, column, {place, static_cast<std::uint32_t>(bytes.size()), FANOUT_PRESENT});
}

Result<ValueFile*> Piece::file(const std::string& directory) {
    if (!file_) {
        auto made = ValueFile::make(directory);
        if (!made.is_ok()) return made.status();
        file_ = std::move(made.value());
    }
    return file_.get();
}

bool Piece::add(std::string_view data, const fanout_column* columns) {
    if (forms_.size() != columns_) learn(columns);
    if (header_ && !take_header(data)) return false;
    header_ = false;
    while (!data.empty()) {
        if (data.size() < 2) return false;
        const std::uint16_t fields = load16(data.data());
        data.remove_prefix(2);
        if (fields == 0xFFFF) return data.empty();
        if (fields != columns_ + (leaves_out_ ? 1 : 0) || !add_row(data)) return false;
    }
    return true;
}

bool CopyFields::begin(std::string_view copy_data) {
    if (header_ && !take_header(copy_data)) return false;
    header_ = false;
    data_ = copy_data;
    // Whole rows of one field, or the trailer.
    while (copy_data.size() >= 6) {
        const std::uint32_t length = load32(copy_data.data() + 2);
        const std::size_t size = length == 0xFFFFFFFF ? 0 : length;
        if (load16(copy_data.data()) != 1 || copy_data.size() - 6 < size) return false;
        copy_data.remove_prefix(6 + size);
    }
    return copy_data.empty() || (copy_data.size() == 2 && load16(copy_data.data()) == 0xFFFF);
}

std::optional<std::string_view> CopyFields::next() {
    while (data_.size() >= 6) {
        const std::uint32_t length = load32(data_.data() + 2);
        data_.remove_prefix(6);
        if (length == 0xFFFFFFFF) continue;
        const auto field = data_.substr(0, length);
        data_.remove_prefix(length);
        return field;
    }
    return std::nullopt;
}

bool stored_form(const fanout_column& column, std::string_view field, std::string& out) {
    out.resize(field.size());
    auto* place = reinterpret_cast<std::uint8_t*>(out.data());
    if (column.value_class == FANOUT_FIXED) {
        if (field.size() != column.width) return false;
        copy_fixed(column.type_oid, field.data(), place, field.size());
    } else if (column.value_class == FANOUT_NUMERIC) {
        const auto size = numeric_stored(field, place);
        out.resize(size);
        return size != 0;
    } else {
        out = field;
    }
    return true;
}

}  // namespace fanout::backfill
