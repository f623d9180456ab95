#include "_kit/json_encoder.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "_kit/json_text.hpp"
#include "_kit/stored_types.hpp"
#include "_kit/value_text.hpp"
#include "fanout/base/ids.hpp"
#include "fanout/base/lsn_text.hpp"
#include "fanout/connector/connector.hpp"

namespace fanout::kit {
namespace {

using connector::view;

std::string source_name(const fanout_table& table) {
    return std::string(view(table.schema)) + "." + std::string(view(table.name));
}

std::string_view bytes_of(const fanout_value& value) {
    return {reinterpret_cast<const char*>(value.data), value.size};
}

template <typename Integer>
void append_integer(std::string& out, Integer number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, static_cast<std::size_t>(end - digits));
}

template <typename Integer>
void append_stored_integer(std::string& out, const fanout_value& value) {
    Integer number;
    std::memcpy(&number, value.data, sizeof number);
    append_integer(out, number);
}

/// What is longer goes out in pieces, if it may; base64 takes three bytes at a time.
constexpr std::size_t kPieceBytes = 3 * 64 * 1024;

/// How much of `text` is a piece. In UTF-8 a character stays whole.
std::size_t piece_of(std::string_view text, bool utf8) {
    std::size_t size = kPieceBytes;
    while (utf8 && (static_cast<std::uint8_t>(text[size]) & 0xC0) == 0x80)
        --size;
    return size;
}

void append_hex(std::string& out, std::string_view bytes) {
    constexpr char kHex[] = "0123456789abcdef";
    for (const char c : bytes) {
        const auto byte = static_cast<std::uint8_t>(c);
        out += {kHex[byte >> 4], kHex[byte & 0xF]};
    }
}

std::string iso_time(PgTime micros_since_2000) {
    using namespace std::chrono;
    const sys_time<microseconds> time{microseconds{micros_since_2000} +
                                      seconds{kPgEpochOffsetSeconds}};
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{time - day};
    char text[64];
    std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

/// "12.50" and "1e+20" are JSON numbers as they stand; NaN, Infinity and -Infinity are not.
bool is_json_number(std::string_view text) {
    const std::size_t first = !text.empty() && text[0] == '-' ? 1 : 0;
    return text.size() > first && text[first] >= '0' && text[first] <= '9';
}

/// `,"name":` of which the first member of an object leaves the comma out.
void append_member(std::string& out, const std::string& member, bool first) {
    out.append(member, first ? 1 : 0, std::string::npos);
}

/// The table's form, where the value comes in the class that form is for.
JsonForm form_of(const fanout_column& column) {
    const JsonForm form =
        find_mapping<JsonForm>(std::span<const TypeMapping<JsonForm>>(kJsonTypes), column.type_oid)
            .form;
    switch (form) {
        case JsonForm::boolean:
        case JsonForm::int2:
        case JsonForm::int4:
        case JsonForm::int8:
        case JsonForm::oid:
            if (column.value_class == FANOUT_FIXED) return form;
            return form == JsonForm::boolean ? JsonForm::text : JsonForm::number;
        case JsonForm::base64:
        case JsonForm::payload:
            return column.value_class == FANOUT_BYTES ? form : JsonForm::text;
        case JsonForm::text:
            // Nothing in such a text ever has to be escaped.
            return column.value_class == FANOUT_FIXED && column.type_oid != type_oid::kChar
                       ? JsonForm::plain
                       : form;
        default:
            return form;
    }
}

const char* op_text(std::uint8_t op) {
    switch (op) {
        case FANOUT_INSERT:
            return "{\"op\":\"insert\",";
        case FANOUT_UPDATE:
            return "{\"op\":\"update\",";
        case FANOUT_READ:
            return "{\"op\":\"read\",";
        default:
            return "{\"op\":\"delete\",";
    }
}

}  // namespace

void JsonEncoder::forget_tables() {
    tables_.clear();
    place_in_log_.clear();
}

const JsonEncoder::Table& JsonEncoder::table_for(const fanout_table& table) {
    const auto found = tables_.find(table.oid);
    if (found != tables_.end() && found->second.version == table.version) return found->second;

    Table made{.version = table.version, .place = "\"schema\":", .columns = {}, .has_key = false};
    append_json_name(made.place, view(table.schema));
    made.place += ",\"table\":";
    append_json_name(made.place, view(table.name));
    made.place += ',';

    // With identity full every column is part of the identity: the primary key says more.
    unsigned key_flag = FANOUT_COLUMN_PRIMARY_KEY;
    if (table.identity == 'd' || table.identity == 'i') key_flag = FANOUT_COLUMN_KEY;
    for (std::size_t i = 0; i < table.column_count; ++i) {
        const fanout_column& column = table.columns[i];
        Column text{.name = {}, .member = {}, .form = form_of(column), .key = false};
        append_json_name(text.name, view(column.name));
        text.member = "," + text.name + ":";
        text.key = (column.flags & key_flag) != 0;
        made.has_key |= text.key;
        made.columns.push_back(std::move(text));
    }
    return tables_.insert_or_assign(table.oid, std::move(made)).first->second;
}

void JsonEncoder::use_transaction(const fanout_transaction& transaction) {
    if (transaction.commit_lsn == commit_lsn_ && !place_in_log_.empty()) return;
    commit_lsn_ = transaction.commit_lsn;
    place_in_log_ = "\"xid\":";
    append_integer(place_in_log_, transaction.xid);
    place_in_log_ += ",\"lsn\":\"" + lsn_text(transaction.commit_lsn) + "\",\"index\":";
    commit_time_ = ",\"commit_time\":\"" + iso_time(transaction.commit_time) + "\"";
}

void JsonEncoder::append(std::string& out, const fanout_transaction& transaction,
                         const fanout_change& change) {
    use_transaction(transaction);
    if (change.op == FANOUT_TRUNCATE) return append_truncate(out, change);
    if (change.op == FANOUT_MESSAGE) return append_message(out, change);
    try {
        append_row(out, change);
    } catch (const connector::ConnectorError& refused) {
        throw connector::ConnectorError(
            refused.outcome(), "table " + source_name(*change.table) + ": " + refused.what(),
            refused.hint(), {transaction.commit_lsn, change.index});
    }
}

/// The ABI counts changes from 1, the lines from 0.
void JsonEncoder::append_position(std::string& out, const fanout_change& change) const {
    out += place_in_log_;
    append_integer(out, change.index > 0 ? change.index - 1 : 0);
    out += commit_time_;
}

void JsonEncoder::append_row(std::string& out, const fanout_change& change) {
    const Table& table = table_for(*change.table);
    out += op_text(change.op);
    out += table.place;
    append_position(out, change);
    append_key(out, table, change);
    out += ",\"before\":";
    append_image(out, table, *change.table, change.before);
    out += ",\"after\":";
    append_image(out, table, *change.table, change.after);
    out += ",\"unchanged\":[";
    if (change.after != nullptr) {
        bool first = true;
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            if (change.after[i].state != FANOUT_UNCHANGED) continue;
            if (!first) out += ',';
            first = false;
            out += table.columns[i].name;
        }
    }
    out += (change.flags & FANOUT_CHANGE_LENIENT) != 0 ? "],\"lenient\":true}\n" : "]}\n";
}

/// The row's key after the change, or of the row that went; null for a table without one.
void JsonEncoder::append_key(std::string& out, const Table& table, const fanout_change& change) {
    if (!table.has_key) {
        out += ",\"key\":null";
        return;
    }
    out += ",\"key\":{";
    bool first = true;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        if (!table.columns[i].key) continue;
        const fanout_value* value = change.after != nullptr ? &change.after[i] : nullptr;
        // A key part stored out of line that did not change is in the old key only.
        if ((value == nullptr || value->state == FANOUT_UNCHANGED) && change.before != nullptr)
            value = &change.before[i];
        if (value == nullptr || value->state == FANOUT_UNCHANGED || value->state == FANOUT_ABSENT)
            continue;
        append_member(out, table.columns[i].member, first);
        first = false;
        append_value(out, table.columns[i], change.table->columns[i], *value);
    }
    out += '}';
}

void JsonEncoder::append_image(std::string& out, const Table& table, const fanout_table& shape,
                               const fanout_value* values) {
    if (values == nullptr) {
        out += "null";
        return;
    }
    out += '{';
    bool first = true;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const fanout_value& value = values[i];
        if (value.state == FANOUT_UNCHANGED || value.state == FANOUT_ABSENT) continue;
        append_member(out, table.columns[i].member, first);
        first = false;
        append_value(out, table.columns[i], shape.columns[i], value);
    }
    out += '}';
}

void JsonEncoder::append_value(std::string& out, const Column& how, const fanout_column& column,
                               const fanout_value& value) {
    if (value.state != FANOUT_PRESENT) {
        out += "null";
        return;
    }
    switch (how.form) {
        case JsonForm::boolean:
            out += *value.data != 0 ? "true" : "false";
            return;
        case JsonForm::int2:
            return append_stored_integer<std::int16_t>(out, value);
        case JsonForm::int4:
            return append_stored_integer<std::int32_t>(out, value);
        case JsonForm::int8:
            return append_stored_integer<std::int64_t>(out, value);
        case JsonForm::oid:
            return append_stored_integer<std::uint32_t>(out, value);
        case JsonForm::base64:
            out += '"';
            append_in_pieces(out, bytes_of(value), false, append_base64);
            out += '"';
            return;
        case JsonForm::number:
            return append_number(out, column, value);
        case JsonForm::plain:
            out += '"';
            append_text(out, column, value);
            out += '"';
            return;
        default:
            append_text_value(out, how.form, column, value);
    }
}

void JsonEncoder::append_text_value(std::string& out, JsonForm form, const fanout_column& column,
                                    const fanout_value& value) {
    // What comes as text needs no copy: it may be a gigabyte.
    const bool is_text =
        column.value_class == FANOUT_TEXT_FORM ||
        (column.value_class == FANOUT_BYTES && column.type_oid != type_oid::kBytea);
    std::string_view text = bytes_of(value);
    if (!is_text) {
        scratch_.clear();
        append_text(scratch_, column, value);
        text = scratch_;
    }
    if (spill_ && text.size() > kPieceBytes) return append_huge_text(out, form, column, text);
    if (form == JsonForm::document ? append_json_document(out, text)
                                   : append_json_string(out, text))
        return;
    scratch_.clear();
    append_bytes_as_hex(scratch_, value);
    append_unrepresentable(out, column, "bytes that are not UTF-8", scratch_);
}

/// The same in pieces. What cannot be taken back has to be looked through before.
void JsonEncoder::append_huge_text(std::string& out, JsonForm form, const fanout_column& column,
                                   std::string_view text) {
    constexpr const char* kWhat = "bytes that are not UTF-8";
    if (!is_utf8(text)) {
        if (becomes_null(policy_, column, kWhat)) {
            out += "null";
            return;
        }
        out += "\"\\\\x";
        append_in_pieces(out, text, false, append_hex);
        out += '"';
        return;
    }
    if (form == JsonForm::document) {
        append_in_pieces(out, text, true, [](std::string& to, std::string_view piece) {
            static_cast<void>(append_json_document(to, piece));
        });
        return;
    }
    out += '"';
    append_in_pieces(out, text, true, [this](std::string& to, std::string_view piece) {
        scratch_.clear();
        static_cast<void>(append_json_string(scratch_, piece));
        to.append(scratch_, 1, scratch_.size() - 2);
    });
    out += '"';
}

/// Cut where neither UTF-8 nor base64 minds.
template <typename Append>
void JsonEncoder::append_in_pieces(std::string& out, std::string_view bytes, bool utf8,
                                   Append append_piece) {
    while (spill_ && bytes.size() > kPieceBytes) {
        const std::size_t size = piece_of(bytes, utf8);
        append_piece(out, bytes.substr(0, size));
        bytes.remove_prefix(size);
        spill_(out);
    }
    append_piece(out, bytes);
}

void JsonEncoder::append_number(std::string& out, const fanout_column& column,
                                const fanout_value& value) {
    const std::size_t start = out.size();
    append_text(out, column, value);
    if (is_json_number(std::string_view(out).substr(start))) return;
    scratch_.assign(out, start);
    out.resize(start);
    append_unrepresentable(out, column, scratch_, scratch_);
}

void JsonEncoder::append_unrepresentable(std::string& out, const fanout_column& column,
                                         std::string_view what, std::string_view text) const {
    if (becomes_null(policy_, column, what))
        out += "null";
    else
        append_json_name(out, text);
}

void JsonEncoder::append_truncate(std::string& out, const fanout_change& change) {
    for (std::size_t i = 0; i < change.table_count; ++i) {
        out += "{\"op\":\"truncate\",";
        out += table_for(*change.tables[i]).place;
        append_position(out, change);
        out += ",\"key\":null,\"before\":null,\"after\":null,\"unchanged\":[],\"cascade\":";
        out += (change.flags & FANOUT_TRUNCATE_CASCADE) != 0 ? "true" : "false";
        out += ",\"restart_identity\":";
        out += (change.flags & FANOUT_TRUNCATE_RESTART_IDENTITY) != 0 ? "true" : "false";
        out += "}\n";
    }
}

void JsonEncoder::append_message(std::string& out, const fanout_change& change) const {
    out += "{\"op\":\"message\",";
    append_position(out, change);
    out += ",\"prefix\":";
    append_json_name(out, view(change.prefix));
    const std::size_t behind_prefix = out.size();
    out += ",\"encoding\":\"utf8\",\"content\":";
    if (!append_json_string(out, view(change.content))) {
        out.resize(behind_prefix);
        out += ",\"encoding\":\"base64\",\"content\":\"";
        append_base64(out, view(change.content));
        out += '"';
    }
    out += "}\n";
}

}  // namespace fanout::kit
