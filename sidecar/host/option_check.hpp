// The options of a target, checked against the connector's own table.
//
// The catalog keeps what the user wrote; a connector gets text that is complete, typed and
// resolved. No thread, no state.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fanout/base/status.hpp"
#include "fanout/connector/abi.h"

namespace fanout::host {

/// A value as it stands in the catalog's JSON.
struct OptionValue {
    enum class Kind { text, number, boolean, other };
    Kind kind = Kind::text;
    std::string text;  // a number or boolean as JSON shows it
    friend bool operator==(const OptionValue&, const OptionValue&) = default;
};
using OptionValues = std::map<std::string, OptionValue>;

/// Name and text of every option that has a value, in the order of the connector's table.
struct CheckedOptions {
    std::vector<std::pair<std::string, std::string>> values;

    /// Views into `values`, for the ABI.
    std::vector<fanout_option> as_list() const;
};

/// Refuses unknown names, missing required ones, values of the wrong type, inline secrets.
Result<CheckedOptions> check_options(const fanout_connector& connector, const OptionValues& given);

}  // namespace fanout::host
