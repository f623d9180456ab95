// Names of segment files, and whose changes a header says they hold.
#include "sidecar/journal/segment_format.hpp"

#include <charconv>
#include <cstdio>
#include <string_view>

namespace fanout::journal {

namespace {

template <std::size_t size>
bool put_text(const std::string& text, char (&out)[size]) {
    std::memset(out, 0, size);
    if (text.size() >= size) return false;
    std::memcpy(out, text.data(), text.size());
    return true;
}

template <std::size_t size>
std::string text_of(const char (&in)[size]) {
    return {in, ::strnlen(in, size)};
}

constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kDigits = 16;

}  // namespace

std::string segment_file_name(std::uint64_t number) {
    char name[32];
    std::snprintf(name, sizeof name, "%016llx.seg", static_cast<unsigned long long>(number));
    return name;
}

std::optional<std::uint64_t> segment_number(const std::string& file_name) {
    if (file_name.size() != kDigits + kSuffix.size() || !file_name.ends_with(kSuffix)) return {};
    std::uint64_t number = 0;
    const char* digits_end = file_name.data() + kDigits;
    const auto [end, error] = std::from_chars(file_name.data(), digits_end, number, 16);
    if (error != std::errc() || end != digits_end) return {};
    return number;
}

bool put_identity(const SourceIdentity& identity, SegmentHeader& header) {
    header.database_oid = identity.database_oid;
    header.generation = identity.generation;
    const bool system = put_text(identity.system_identifier, header.system_identifier);
    const bool stream = put_text(identity.stream_identity, header.stream_identity);
    return put_text(identity.stream, header.stream) && system && stream;
}

SourceIdentity identity_of(const SegmentHeader& header) {
    return {text_of(header.system_identifier), header.database_oid, text_of(header.stream),
            text_of(header.stream_identity), header.generation};
}

}  // namespace fanout::journal
