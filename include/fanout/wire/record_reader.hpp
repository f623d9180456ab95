// Bounds-checked views over records. Every byte is untrusted; every refusal has a name.
//
// No allocation, no exceptions. Views point into the caller's bytes and die with them.
#pragma once

#include <cstring>
#include <span>
#include <string_view>

#include "fanout/wire/checksum.hpp"
#include "fanout/wire/record_format.hpp"
#include "fanout/wire/value_format.hpp"

namespace fanout::wire {

using Bytes = std::span<const std::uint8_t>;

enum class Refusal : std::uint8_t {
    none = 0,
    truncated,   // fewer bytes than the header or the length says
    bad_length,  // length below the header, not a multiple of 8, or over the maximum
    bad_checksum,
    unknown_kind,
    short_body,      // a field reaches beyond the record
    bad_tag,         // unknown value tag
    bad_column,      // unknown value class, or a width that does not fit
    bad_count,       // a count that cannot fit into the record
    trailing_bytes,  // more than padding behind the last field
};

constexpr const char* refusal_text(Refusal refusal) {
    switch (refusal) {
        case Refusal::none:
            return "ok";
        case Refusal::truncated:
            return "the record is cut short";
        case Refusal::bad_length:
            return "the record's length is impossible";
        case Refusal::bad_checksum:
            return "the record's checksum does not match";
        case Refusal::unknown_kind:
            return "the record's kind is unknown";
        case Refusal::short_body:
            return "a field reaches beyond its record";
        case Refusal::bad_tag:
            return "a value has an unknown tag";
        case Refusal::bad_column:
            return "a column has an unknown class or an impossible width";
        case Refusal::bad_count:
            return "a count does not fit into its record";
        case Refusal::trailing_bytes:
            return "bytes are left over behind the last field";
    }
    return "unknown refusal";
}

/// A record whose frame was checked; `body` is everything behind the header, padding included.
struct RecordView {
    RecordHeader header;
    Bytes whole;
    Bytes body;
    Kind kind() const { return static_cast<Kind>(header.kind); }
};

/// Reads the record at the start of `bytes` without verifying its checksum.
inline Refusal read_frame(Bytes bytes, RecordView& out,
                          std::uint64_t length_max = kRecordBytesMax) {
    if (bytes.size() < sizeof(RecordHeader)) return Refusal::truncated;
    std::memcpy(&out.header, bytes.data(), sizeof(RecordHeader));
    const std::uint32_t length = out.header.length;
    if (length < sizeof(RecordHeader) || length % kAlignment != 0 || length > length_max) {
        return Refusal::bad_length;
    }
    if (length > bytes.size()) return Refusal::truncated;
    if (out.header.kind == 0 || out.header.kind > kKindMax) return Refusal::unknown_kind;
    out.whole = bytes.first(length);
    out.body = out.whole.subspan(sizeof(RecordHeader));
    return Refusal::none;
}

/// Reads and verifies the record at the start of `bytes`.
inline Refusal read_record(Bytes bytes, RecordView& out,
                           std::uint64_t length_max = kRecordBytesMax) {
    if (const auto refusal = read_frame(bytes, out, length_max); refusal != Refusal::none) {
        return refusal;
    }
    if (record_checksum(out.whole.data(), out.whole.size()) != out.header.checksum) {
        return Refusal::bad_checksum;
    }
    return Refusal::none;
}

/// Walks the fields of a body in order. After the first field that does not fit, ok() is false
/// and every later field is empty.
class BodyCursor {
  public:
    explicit BodyCursor(Bytes body) : rest_(body) {}

    template <typename T>
    T take() {
        static_assert(std::is_trivially_copyable_v<T>);
        T value{};
        const auto bytes = take_bytes(sizeof(T));
        if (bytes.size() == sizeof(T)) std::memcpy(&value, bytes.data(), sizeof(T));
        return value;
    }

    Bytes take_bytes(std::size_t size) {
        if (!ok_ || size > rest_.size()) {
            ok_ = false;
            return {};
        }
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }

    std::string_view take_text() {
        const auto bytes = take_bytes(take<std::uint16_t>());
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    bool ok() const { return ok_; }
    std::size_t rest() const { return rest_.size(); }

    /// True when nothing but padding is left.
    bool at_end() const { return ok_ && rest_.size() < kAlignment; }

  private:
    Bytes rest_;
    bool ok_ = true;
};

/// One value of an image. `data` is empty unless the tag is present.
struct ValueView {
    Tag tag = Tag::null;
    Bytes data;
};

/// Takes one value. `width` is the column's fixed width, 0 for sized classes.
inline Refusal take_value(BodyCursor& cursor, std::uint16_t width, ValueView& out) {
    const auto tag = cursor.take<std::uint8_t>();
    if (!cursor.ok()) return Refusal::short_body;
    if (tag > static_cast<std::uint8_t>(Tag::absent)) return Refusal::bad_tag;
    out.tag = static_cast<Tag>(tag);
    out.data = {};
    if (out.tag != Tag::present) return Refusal::none;
    out.data = cursor.take_bytes(width != 0 ? width : cursor.take<std::uint32_t>());
    return cursor.ok() ? Refusal::none : Refusal::short_body;
}

}  // namespace fanout::wire
