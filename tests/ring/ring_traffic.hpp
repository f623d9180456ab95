// Records of random sizes whose every byte follows from their number, written and checked.
#pragma once

#include <cstring>

#include "fanout/ring/ring_reader.hpp"
#include "fanout/ring/ring_writer.hpp"
#include "fanout/wire/record_reader.hpp"
#include "fanout/wire/record_writer.hpp"

namespace fanout::testing {

/// A number that looks random and depends on `n` alone.
inline std::uint64_t scrambled(std::uint64_t n) {
    n = (n ^ (n >> 30)) * 0xBF58476D1CE4E5B9ULL;
    n = (n ^ (n >> 27)) * 0x94D049BB133111EBULL;
    return n ^ (n >> 31);
}

inline std::size_t body_size(std::uint64_t number) {
    const std::uint64_t random = scrambled(number);
    // Mostly small, sometimes as large as a record may be.
    const std::uint64_t size_max = random % 1000 == 0 ? 200'000 : random % 20 == 0 ? 4000 : 200;
    return 8 + 8 * ((random >> 20) % (size_max / 8));
}

inline std::size_t record_size(std::uint64_t number) {
    return sizeof(wire::RecordHeader) + body_size(number);
}

inline void write_record(std::uint8_t* place, std::uint64_t number) {
    const std::size_t body = body_size(number);
    wire::RecordWriter writer(place, sizeof(wire::RecordHeader) + body);
    writer.start(wire::Kind::insert, 0, 1, number, number);
    std::memset(place + sizeof(wire::RecordHeader), static_cast<int>(number & 0xFF), body);
    for (std::size_t at = 0; at < body; at += 8)
        writer.put(number + at);
    writer.finish();
}

/// Checks whole records from `number` on; false at the first that is not what it must be.
inline bool check_records(wire::Bytes bytes, std::uint64_t& number) {
    while (!bytes.empty()) {
        wire::RecordView record;
        if (wire::read_record(bytes, record) != wire::Refusal::none) return false;
        if (record.header.index != number || record.body.size() != body_size(number)) return false;
        std::uint64_t last = 0;
        std::memcpy(&last, record.body.data() + record.body.size() - 8, 8);
        if (last != number + record.body.size() - 8) return false;
        bytes = bytes.subspan(record.whole.size());
        ++number;
    }
    return true;
}

}  // namespace fanout::testing
