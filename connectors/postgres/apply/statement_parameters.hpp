// The parameters of one statement in binary form: for many rows, each is a one-dimensional array
// with an element per row; for one row, the value itself. Buffers are reused from statement to
// statement. Lane's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fanout/connector/abi.h"

namespace fanout::postgres {

/// How a source column's values become elements.
struct ElementForm {
    fanout_column column{};
    bool binary = false;  // its send form; else its text form, as an element of text[]
    std::uint32_t element_oid = 0;
};

/// From this on a row is carried by itself, in pieces: libpq would copy it as a whole, and the
/// server takes no message of a gigabyte.
inline constexpr std::size_t kHugeRowBytes = 8 * 1024 * 1024;

/// How many bytes the values of an image are.
std::size_t image_bytes(const fanout_value* image, std::size_t columns);

class StatementParameters {
  public:
    /// Starts over with `count` parameters: arrays, or values of one row. A huge row's values are
    /// not copied: they are looked at until the next reset().
    void reset(std::size_t count, bool arrays, bool huge = false);
    void set_type(std::size_t parameter, std::uint32_t element_oid);
    /// A value in state FANOUT_PRESENT; any other state is a NULL element.
    void append(std::size_t parameter, const ElementForm& form, const fanout_value& value);
    void append_bool(std::size_t parameter, bool value);
    /// Completes the arrays' headers.
    void finish(std::size_t rows);
    std::size_t bytes() const { return bytes_; }

    std::size_t size() const { return buffers_.size(); }
    std::string_view value(std::size_t parameter) const {
        return views_[parameter].data() != nullptr ? views_[parameter] : buffers_[parameter];
    }
    /// One row that is too large for a statement's parameters.
    bool huge() const { return huge_; }
    /// The values, for who keeps them; start over afterwards.
    std::vector<std::string> take();
    /// Only a value can be NULL; an array is there even if all its elements are NULL.
    bool is_null(std::size_t parameter) const { return !arrays_ && has_null_[parameter]; }

  private:
    std::vector<std::string> buffers_;
    std::vector<std::string_view> views_;  // of values that were not copied
    std::vector<bool> has_null_;
    std::size_t bytes_ = 0;
    bool arrays_ = true;
    bool huge_ = false;
};

}  // namespace fanout::postgres
