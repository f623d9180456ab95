// What a subscription does about schema changes of its tables. Plain data.
#pragma once

#include <cstdint>
#include <string_view>

#include "fanout/connector/abi.h"

namespace fanout::lane {

enum class OnDdl : std::uint8_t {
    ignore,  // rows go on in their new shape; the target is somebody else's to change
    hold,    // the lane stops before it, until somebody says that the target is ready
    apply,   // the connector makes the same change
};

inline OnDdl read_on_ddl(std::string_view text) {
    if (text == "apply") return OnDdl::apply;
    return text == "hold" ? OnDdl::hold : OnDdl::ignore;
}

/// Whether a target may have to be changed because of it. docs/fidelity.md repeats it.
inline bool concerns_target(std::uint8_t kind) {
    switch (kind) {
        case FANOUT_DDL_CREATE_TABLE:
        case FANOUT_DDL_DROP_TABLE:
        case FANOUT_DDL_RENAME_TABLE:
        case FANOUT_DDL_ADD_COLUMN:
        case FANOUT_DDL_DROP_COLUMN:
        case FANOUT_DDL_RENAME_COLUMN:
        case FANOUT_DDL_ALTER_TYPE:
        case FANOUT_DDL_ALTER_NULLABLE:
        case FANOUT_DDL_ALTER_KEY:
        case FANOUT_DDL_REWRITE:
            return true;
        default:
            return false;
    }
}

/// No row depends on these: nobody has to be asked, and with `apply` they are made.
inline bool is_made_in_passing(std::uint8_t kind) {
    return kind == FANOUT_DDL_CREATE_INDEX || kind == FANOUT_DDL_DROP_INDEX ||
           kind == FANOUT_DDL_COMMENT || kind == FANOUT_DDL_OTHER;
}

}  // namespace fanout::lane
