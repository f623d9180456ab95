// Puts one record into bytes the caller supplies.
//
// The caller knows a bound for the size before it starts (the ring needs it for the claim), so
// put_* never checks for room beyond an assertion-like latch: writing past the end sets
// overflowed() and writes nothing more. finish() pads, patches length and checksum and returns
// the length, or 0 after an overflow. No allocation, no exceptions: compiled into the server.
#pragma once

#include <cstring>
#include <string_view>

#include "fanout/base/ids.hpp"
#include "fanout/wire/checksum.hpp"
#include "fanout/wire/record_format.hpp"
#include "fanout/wire/value_format.hpp"

namespace fanout::wire {

inline constexpr std::uint64_t pad_to_alignment(std::uint64_t size) {
    return (size + kAlignment - 1) & ~static_cast<std::uint64_t>(kAlignment - 1);
}

/// The fields of a body, over any `Out` that has put_bytes(data, size) and overflow(). One layout,
/// whether the bytes go into a ring, a hash, or pieces.
template <typename Out>
class FieldWriter {
  public:
    template <typename T>
    void put(const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        out().put_bytes(&value, sizeof value);
    }

    /// u16 length and bytes; text over 65535 bytes is an overflow.
    void put_text(std::string_view text) {
        if (text.size() > 0xFFFF) {
            out().overflow();
            return;
        }
        put(static_cast<std::uint16_t>(text.size()));
        out().put_bytes(text.data(), text.size());
    }

    void put_tag(Tag tag) { put(static_cast<std::uint8_t>(tag)); }

    void put_fixed(const void* data, std::size_t width) {
        put_tag(Tag::present);
        out().put_bytes(data, width);
    }

    void put_sized(const void* data, std::uint32_t size) {
        put_tag(Tag::present);
        put(size);
        out().put_bytes(data, size);
    }

  private:
    Out& out() { return static_cast<Out&>(*this); }
};

class RecordWriter : public FieldWriter<RecordWriter> {
  public:
    RecordWriter(std::uint8_t* out, std::size_t capacity) : out_(out), capacity_(capacity) {}

    void start(Kind kind, std::uint8_t flags, std::uint32_t epoch, Lsn lsn, std::uint64_t index) {
        size_ = 0;
        overflowed_ = false;
        const RecordHeader header{0,   0,    static_cast<std::uint8_t>(kind), flags, 0, epoch,
                                  lsn, index};
        put(header);
    }

    void put_bytes(const void* data, std::size_t size) {
        if (overflowed_ || size > capacity_ - size_) {
            overflowed_ = true;
            return;
        }
        if (size != 0) std::memcpy(out_ + size_, data, size);
        size_ += size;
    }

    void overflow() { overflowed_ = true; }
    bool overflowed() const { return overflowed_; }
    std::size_t size() const { return size_; }

    /// Length of the finished record, or 0 if it did not fit.
    std::size_t finish() {
        static constexpr std::uint8_t kZeros[kAlignment] = {};
        put_bytes(kZeros, pad_to_alignment(size_) - size_);
        if (overflowed_) return 0;
        const auto length = static_cast<std::uint32_t>(size_);
        std::memcpy(out_ + offsetof(RecordHeader, length), &length, sizeof length);
        const std::uint32_t checksum = record_checksum(out_, size_);
        std::memcpy(out_ + offsetof(RecordHeader, checksum), &checksum, sizeof checksum);
        return size_;
    }

  private:
    std::uint8_t* out_;
    std::size_t capacity_;
    std::size_t size_ = 0;
    bool overflowed_ = false;
};

}  // namespace fanout::wire
