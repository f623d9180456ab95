// The bytes of one value inside a row image.
//
// An image is, per column of the relation in order, one tag byte and what the tag calls for:
//   null, unchanged, absent   nothing
//   present                   fixed: `width` bytes in host order, unaligned
//                             bytes, numeric, text: u32 size and that many bytes
// `absent` stands in a key image for columns that are not part of the replica identity.
#pragma once

#include <cstdint>

namespace fanout::wire {

enum class Tag : std::uint8_t {
    null = 0,
    unchanged = 1,  // TOASTed and not in the WAL: the target keeps what it has
    present = 2,
    absent = 3,
};

/// How a column's values are carried; decided once per relation by the worker, from the type.
enum class ValueClass : std::uint8_t {
    fixed = 1,    // built-in fixed-width type, stored form
    bytes = 2,    // payload of text, varchar, bpchar, bytea, json, xml, name, …
    numeric = 3,  // numeric's stored form without the varlena header
    text = 4,     // the type's output function, settings pinned (see docs/record-format.md)
};

}  // namespace fanout::wire
