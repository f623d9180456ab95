#include "_kit/json_encoder.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "_kit/json_text.hpp"
#include "_kit/stored_types.hpp"
#include "_kit/value_text.hpp"
#include "fanout/base/ids.hpp"
#include "fanout/base/lsn_text.hpp"

namespace fanout::kit {
namespace {

std::string_view view(fanout_text text) {
    return {text.data, text.size};
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

const char* op_text(std::uint8_t op) {
    switch (op) {
        case FANOUT_INSERT:
            return "{\"op\":\"insert\",";
        case FANOUT_UPDATE:
            return "{\"op\":\"update\",";
        default:
            return "{\"op\":\"delete\",";
    }
}

}  // namespace

JsonEncoder::Form JsonEncoder::form_of(const fanout_column& column) {
    const bool fixed = column.value_class == FANOUT_FIXED;
    switch (column.type_oid) {
        case type_oid::kBool:
            return fixed ? Form::boolean : Form::text;
        case type_oid::kInt2:
            return fixed ? Form::int2 : Form::number;
        case type_oid::kInt4:
            return fixed ? Form::int4 : Form::number;
        case type_oid::kInt8:
            return fixed ? Form::int8 : Form::number;
        case type_oid::kOid:
            return fixed ? Form::oid : Form::number;
        case type_oid::kFloat4:
        case type_oid::kFloat8:
        case type_oid::kNumeric:
            return Form::number;
        case type_oid::kBytea:
            return column.value_class == FANOUT_BYTES ? Form::base64 : Form::text;
        case type_oid::kJson:
        case type_oid::kJsonb:
            return Form::document;
        case type_oid::kChar:
            return Form::text;
        default:
            if (column.value_class == FANOUT_NUMERIC) return Form::number;
            if (fixed) return Form::plain;
            return column.value_class == FANOUT_BYTES ? Form::payload : Form::text;
    }
}

void JsonEncoder::forget_tables() {
    tables_.clear();
    place_in_log_.clear();
}

const JsonEncoder::Table& JsonEncoder::table_for(const fanout_table& table) {
    const auto found = tables_.find(table.oid);
    if (found != tables_.end() && found->second.version == table.version) return found->second;

    Table made{.version = table.version, .place = "\"schema\":", .columns = {}, .has_key = false};
    append_json_string(made.place, view(table.schema));
    made.place += ",\"table\":";
    append_json_string(made.place, view(table.name));
    made.place += ',';

    // With identity full every column is part of the identity: the primary key says more.
    unsigned key_flag = FANOUT_COLUMN_PRIMARY_KEY;
    if (table.identity == 'd' || table.identity == 'i') key_flag = FANOUT_COLUMN_KEY;
    for (std::size_t i = 0; i < table.column_count; ++i) {
        const fanout_column& column = table.columns[i];
        Column text{.name = {}, .member = {}, .form = form_of(column), .key = false};
        append_json_string(text.name, view(column.name));
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
    if (change.op == FANOUT_TRUNCATE)
        append_truncate(out, change);
    else if (change.op == FANOUT_MESSAGE)
        append_message(out, change);
    else
        append_row(out, change);
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
    out += "]}\n";
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
        append_value(out, table.columns[i].form, change.table->columns[i], *value);
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
        append_value(out, table.columns[i].form, shape.columns[i], value);
    }
    out += '}';
}

void JsonEncoder::append_value(std::string& out, Form form, const fanout_column& column,
                               const fanout_value& value) {
    if (value.state != FANOUT_PRESENT) {
        out += "null";
        return;
    }
    switch (form) {
        case Form::boolean:
            out += *value.data != 0 ? "true" : "false";
            return;
        case Form::int2:
            return append_stored_integer<std::int16_t>(out, value);
        case Form::int4:
            return append_stored_integer<std::int32_t>(out, value);
        case Form::int8:
            return append_stored_integer<std::int64_t>(out, value);
        case Form::oid:
            return append_stored_integer<std::uint32_t>(out, value);
        case Form::base64:
            out += '"';
            append_base64(out, bytes_of(value));
            out += '"';
            return;
        case Form::document:
            return append_json_document(out, bytes_of(value));
        case Form::payload:
            return append_json_string(out, bytes_of(value));
        case Form::number:
            return append_number(out, column, value);
        case Form::plain:
            out += '"';
            append_text(out, column, value);
            out += '"';
            return;
        case Form::text:
            break;
    }
    scratch_.clear();
    append_text(scratch_, column, value);
    append_json_string(out, scratch_);
}

void JsonEncoder::append_number(std::string& out, const fanout_column& column,
                                const fanout_value& value) {
    const std::size_t start = out.size();
    append_text(out, column, value);
    if (is_json_number(std::string_view(out).substr(start))) return;
    scratch_.assign(out, start);
    out.resize(start);
    append_json_string(out, scratch_);
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
    append_json_string(out, view(change.prefix));
    const bool text = is_utf8(view(change.content));
    out += text ? ",\"encoding\":\"utf8\",\"content\":" : ",\"encoding\":\"base64\",\"content\":";
    if (text) {
        append_json_string(out, view(change.content));
    } else {
        out += '"';
        append_base64(out, view(change.content));
        out += '"';
    }
    out += "}\n";
}

}  // namespace fanout::kit
