// The parameters of one array statement: per parameter a one-dimensional array in binary form, one
// element per row. Buffers are reused from statement to statement. Lane's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fanout/connector/abi.h"

namespace fanout::postgres {

/// How a source column's values become elements.
struct ElementForm {
    fanout_column column{};
    bool binary = false;  // its send form; else its text form, as an element of text[]
    std::uint32_t element_oid = 0;
};

class ArrayParameters {
  public:
    /// Starts over with `count` parameters.
    void reset(std::size_t count);
    void set_type(std::size_t parameter, std::uint32_t element_oid);
    /// A value in state FANOUT_PRESENT; any other state is a NULL element.
    void append(std::size_t parameter, const ElementForm& form, const fanout_value& value);
    void append_bool(std::size_t parameter, bool value);
    /// Completes the headers. The strings stay valid until the next reset.
    const std::vector<std::string>& finish(std::size_t rows);
    std::size_t bytes() const { return bytes_; }

  private:
    std::vector<std::string> buffers_;
    std::vector<bool> has_null_;
    std::size_t bytes_ = 0;
};

}  // namespace fanout::postgres
