// array_recv's format: dimensions, has-null flag, element type, size and lower bound, then each
// element with its length, -1 for NULL.
#include "postgres/apply/statement_parameters.hpp"

#include "_kit/network_order.hpp"
#include "_kit/stored_types.hpp"
#include "_kit/value_binary.hpp"
#include "_kit/value_text.hpp"

namespace fanout::postgres {
namespace {

constexpr std::size_t kHasNullAt = 4, kElementTypeAt = 8, kSizeAt = 12, kHeaderBytes = 20;
constexpr std::uint32_t kNullLength = 0xFFFFFFFF;
constexpr std::size_t kViewBytesMin = 64 * 1024;

/// What is sent of such a value are the bytes it has.
bool stands_as_it_is(const ElementForm& form) {
    if (form.column.value_class == FANOUT_BYTES)
        return form.binary || form.column.type_oid != kit::type_oid::kBytea;
    return form.column.value_class == FANOUT_TEXT_FORM && !form.binary;
}

}  // namespace

std::size_t image_bytes(const fanout_value* image, std::size_t columns) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; image != nullptr && i < columns; ++i)
        bytes += image[i].state == FANOUT_PRESENT ? image[i].size : 0;
    return bytes;
}

void StatementParameters::reset(std::size_t count, bool arrays, bool huge) {
    buffers_.resize(count);
    views_.assign(count, {});
    huge_ = huge && !arrays;
    has_null_.assign(count, false);
    bytes_ = 0;
    arrays_ = arrays;
    for (std::string& buffer : buffers_) {
        if (!arrays) {
            buffer.clear();
            continue;
        }
        buffer.assign(kHeaderBytes, '\0');
        kit::put_network32(buffer, 0, 1);
        kit::put_network32(buffer, kHeaderBytes - 4, 1);
    }
}

void StatementParameters::set_type(std::size_t parameter, std::uint32_t element_oid) {
    if (arrays_) kit::put_network32(buffers_[parameter], kElementTypeAt, element_oid);
}

void StatementParameters::append(std::size_t parameter, const ElementForm& form,
                                 const fanout_value& value) {
    std::string& buffer = buffers_[parameter];
    const std::size_t start = buffer.size();
    const bool present = value.state == FANOUT_PRESENT;
    if (arrays_) kit::append_network(buffer, kNullLength);
    if (!present) {
        has_null_[parameter] = true;
        return;
    }
    if (huge_ && value.size >= kViewBytesMin && stands_as_it_is(form)) {
        views_[parameter] = {reinterpret_cast<const char*>(value.data), value.size};
        bytes_ += value.size;
        return;
    }
    if (form.binary)
        kit::append_binary(buffer, form.column, value);
    else
        kit::append_text(buffer, form.column, value);
    bytes_ += buffer.size() - start;
    if (arrays_)
        kit::put_network32(buffer, start, static_cast<std::uint32_t>(buffer.size() - start - 4));
}

std::vector<std::string> StatementParameters::take() {
    for (std::size_t i = 0; i < views_.size(); ++i)
        if (views_[i].data() != nullptr) buffers_[i] = views_[i];
    return std::move(buffers_);
}

void StatementParameters::append_bool(std::size_t parameter, bool value) {
    if (arrays_) kit::append_network(buffers_[parameter], std::uint32_t{1});
    buffers_[parameter] += value ? '\1' : '\0';
}

void StatementParameters::finish(std::size_t rows) {
    if (!arrays_) return;
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
        kit::put_network32(buffers_[i], kHasNullAt, has_null_[i] ? 1 : 0);
        kit::put_network32(buffers_[i], kSizeAt, static_cast<std::uint32_t>(rows));
    }
}

}  // namespace fanout::postgres
