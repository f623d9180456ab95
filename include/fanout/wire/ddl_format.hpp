// Bodies of ddl and sequence records: what happens beside the rows. Pairs with
// docs/record-format.md, like record_format.hpp.
#pragma once

#include <cstdint>

namespace fanout::wire {

enum class DdlKind : std::uint8_t {
    create_table = 1,
    drop_table = 2,
    rename_table = 3,
    add_column = 4,
    drop_column = 5,
    rename_column = 6,
    alter_type = 7,
    alter_nullable = 8,
    alter_default = 9,
    alter_key = 10,
    rewrite = 11,
    attach_partition = 12,
    detach_partition = 13,
    create_index = 14,
    drop_index = 15,
    comment = 16,
    other = 17,
};

/// Body of ddl, followed by six texts (schema, name, new schema, new name, column, new column),
/// the ids of the subscriptions it is for (u32 each), and before, after, missing, statement. Where
/// the table is still there, its relation record of that moment stands before it.
struct DdlBody {
    std::uint32_t relation;  // OID
    std::uint8_t kind;       // DdlKind
    std::uint8_t reserved;
    std::uint16_t wanted_count;
    std::uint32_t before_size;  // of the JSON, 0 if there is none
    std::uint32_t after_size;
    std::uint32_t statement_size;
    std::uint32_t missing_size;  // kNoMissing: NULL
};
static_assert(sizeof(DdlBody) == 24);
inline constexpr std::uint32_t kNoMissing = 0xFFFFFFFF;

/// Body of sequence, followed by: text schema, text name. For one subscription.
struct SequenceBody {
    std::uint32_t subscription;
    std::uint32_t not_called;  // 1: last_value is the next that will be handed out
    std::int64_t last_value;   // handed out already
    std::int64_t increment;
};
static_assert(sizeof(SequenceBody) == 24);

}  // namespace fanout::wire
