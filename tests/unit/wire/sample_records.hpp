// One record of every kind that is implemented, with every value tag, by name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fanout/wire/ddl_format.hpp"
#include "tests/unit/sample_stream.hpp"

namespace fanout::testing {

using NamedRecord = std::pair<std::string, std::vector<std::uint8_t>>;

inline void sample_row(wire::RecordWriter& out, wire::OldImage old) {
    out.put(wire::RowBody{16400, 2, static_cast<std::uint8_t>(old), {}});
}

/// Every tag but `absent`.
inline void sample_image(wire::RecordWriter& out) {
    const std::int32_t id = 42;
    out.put_fixed(&id, sizeof id);
    out.put_sized("naïve", 6);
    out.put_tag(wire::Tag::null);
    out.put_tag(wire::Tag::unchanged);
}

inline void sample_key(wire::RecordWriter& out) {
    const std::int32_t id = 41;
    out.put_fixed(&id, sizeof id);
    for (int i = 0; i < 3; ++i)
        out.put_tag(wire::Tag::absent);
}

inline void sample_relation(wire::RecordWriter& out, std::uint32_t version = 2) {
    using wire::ValueClass;
    out.put(wire::RelationBody{16400, version, 'd', 'r', 2, 2, 1});
    out.put_text("public");
    out.put_text("My Orders");
    const auto column = [&](Oid32 type, ValueClass value_class, std::uint8_t flags,
                            std::uint16_t width, const char* name, const char* type_name) {
        out.put(
            wire::ColumnBody{type, -1, 1, static_cast<std::uint8_t>(value_class), flags, width, 0});
        out.put_text(name);
        out.put_text(type_name);
    };
    column(23, ValueClass::fixed, wire::kColumnKey | wire::kColumnPrimaryKey, 4, "id", "integer");
    column(1700, ValueClass::numeric, 0, 0, "total", "numeric(10,2)");
    for (const std::uint32_t subscription : {7U, 9U, 11U})
        out.put(subscription);
}

template <typename Add>
void add_beside_rows(const Add& add) {
    using wire::Kind;
    using wire::RecordWriter;
    constexpr Lsn kLsn = 0x16B374D848;
    add("ddl", Kind::ddl, wire::kFlagFirstRows, kLsn, 7, [](RecordWriter& out) {
        out.put(wire::DdlBody{16400, static_cast<std::uint8_t>(wire::DdlKind::add_column), 0, 1, 0,
                              19, 29, 3});
        for (const char* name : {"public", "t", "public", "t", "", "c"})
            out.put_text(name);
        out.put(std::uint32_t{3});
        out.put_bytes("{\"type\": \"integer\"}", 19);
        out.put_bytes("'b'", 3);
        out.put_bytes("ALTER TABLE t ADD c integer; ", 29);
    });
    add("sequence", Kind::sequence, 0, kLsn, 9, [](RecordWriter& out) {
        out.put(wire::SequenceBody{3, 0, 1234, -2});
        out.put_text("public");
        out.put_text("t_id_seq");
    });
    add("rewritten", Kind::rewritten, 0, kLsn, 8, [](RecordWriter& out) {
        sample_row(out, wire::OldImage::none);
        sample_image(out);
    });
}

inline std::vector<NamedRecord> sample_records() {
    using wire::Kind;
    using wire::RecordWriter;
    constexpr Lsn kLsn = 0x16B374D848;
    std::vector<NamedRecord> all;
    const auto add = [&](const char* name, Kind kind, std::uint8_t flags, Lsn lsn,
                         std::uint64_t index, auto&& body) {
        SampleStream stream(3);
        stream.put(kind, flags, lsn, index, body);
        all.emplace_back(name, stream.bytes);
    };
    add("begin", Kind::begin, 0, kLsn, 0, [](auto& out) {
        out.put(wire::BeginBody{0x16B374D878, 700'000'000'123'456, 741, 5});
    });
    add("commit", Kind::commit, 0, kLsn, 0, [](auto& out) {
        out.put(wire::CommitBody{0x16B374D878, 700'000'000'123'456, 6});
    });
    add("abort", Kind::abort, 0, kLsn, 0, [](auto&) {});
    add("relation", Kind::relation, 0, kLsn, 0, [](auto& out) { sample_relation(out); });
    add("relation_also", Kind::relation, wire::kFlagAlso | wire::kFlagReasons, kLsn, 0,
        [](auto& out) {
            sample_relation(out, 3);
            out.put_text("column \"tenant\" does not exist");
        });
    add("filtered", Kind::filtered, 0, kLsn, 0, [](auto& out) {
        out.put(wire::FilteredBody{2, 0});
        out.put(wire::FilteredCount{16400, 2, 5});
        out.put(wire::FilteredCount{16400, 3, 1});
    });
    add("unjudged", Kind::unjudged, 0, kLsn, 6, [](auto& out) {
        out.put(wire::UnjudgedBody{16400, 2});
        out.put_text("division by zero");
        out.put_text("(id)=(7)");
    });
    add("insert", Kind::insert, 0, kLsn, 1, [&](RecordWriter& out) {
        sample_row(out, wire::OldImage::none);
        sample_image(out);
    });
    add("update", Kind::update, 0, kLsn, 2, [&](RecordWriter& out) {
        sample_row(out, wire::OldImage::key);
        sample_key(out);
        sample_image(out);
    });
    add("remove", Kind::remove, 0, kLsn, 3, [&](RecordWriter& out) {
        sample_row(out, wire::OldImage::full);
        sample_image(out);
    });
    add("truncate", Kind::truncate, wire::kFlagCascade | wire::kFlagRestartIdentity, kLsn, 4,
        [](RecordWriter& out) {
            out.put(wire::TruncateBody{2, 0});
            out.put(std::uint32_t{16400});
            out.put(std::uint32_t{16401});
        });
    add_beside_rows(add);
    add("message", Kind::message, wire::kFlagTransactional, kLsn, 5, [](RecordWriter& out) {
        out.put(wire::MessageBody{3, 5});
        out.put_bytes("appHello", 8);
    });
    add("keepalive", Kind::keepalive, wire::kFlagReportRequested, kLsn, 0,
        [](RecordWriter& out) { out.put(wire::KeepaliveBody{700'000'000'123'456}); });
    add("continuation", Kind::continuation, wire::kFlagLastPiece, kLsn, 0, [](RecordWriter& out) {
        out.put(wire::ContinuationBody{1024, 1008});
        out.put_bytes("last 16 bytes...", 16);
    });
    return all;
}

}  // namespace fanout::testing
