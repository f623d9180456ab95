// array_recv's format: dimensions, has-null flag, element type, size and lower bound, then each
// element with its length, -1 for NULL.
#include "postgres/apply/array_parameters.hpp"

#include "_kit/network_order.hpp"
#include "_kit/stored_types.hpp"
#include "_kit/value_binary.hpp"
#include "_kit/value_text.hpp"

namespace fanout::postgres {
namespace {

constexpr std::size_t kHasNullAt = 4, kElementTypeAt = 8, kSizeAt = 12, kHeaderBytes = 20;
constexpr std::uint32_t kNullLength = 0xFFFFFFFF;

}  // namespace

void ArrayParameters::reset(std::size_t count) {
    buffers_.resize(count);
    has_null_.assign(count, false);
    bytes_ = 0;
    for (std::string& buffer : buffers_) {
        buffer.assign(kHeaderBytes, '\0');
        kit::put_network32(buffer, 0, 1);
        kit::put_network32(buffer, kHeaderBytes - 4, 1);
    }
}

void ArrayParameters::set_type(std::size_t parameter, std::uint32_t element_oid) {
    kit::put_network32(buffers_[parameter], kElementTypeAt, element_oid);
}

void ArrayParameters::append(std::size_t parameter, const ElementForm& form,
                             const fanout_value& value) {
    std::string& buffer = buffers_[parameter];
    const std::size_t start = buffer.size();
    if (value.state != FANOUT_PRESENT) {
        has_null_[parameter] = true;
        kit::append_network(buffer, kNullLength);
        return;
    }
    kit::append_network(buffer, std::uint32_t{0});
    if (form.binary)
        kit::append_binary(buffer, form.column, value);
    else
        kit::append_text(buffer, form.column, value);
    kit::put_network32(buffer, start, static_cast<std::uint32_t>(buffer.size() - start - 4));
    bytes_ += buffer.size() - start;
}

void ArrayParameters::append_bool(std::size_t parameter, bool value) {
    kit::append_network(buffers_[parameter], std::uint32_t{1});
    buffers_[parameter] += value ? '\1' : '\0';
}

const std::vector<std::string>& ArrayParameters::finish(std::size_t rows) {
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
        kit::put_network32(buffers_[i], kHasNullAt, has_null_[i] ? 1 : 0);
        kit::put_network32(buffers_[i], kSizeAt, static_cast<std::uint32_t>(rows));
    }
    return buffers_;
}

}  // namespace fanout::postgres
