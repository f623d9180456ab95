// One row of a table made up in a test: columns and values added side by side, in the ABI's form.
//
// Owns every byte its views point into; a change made from it is valid as long as it lives.
#pragma once

#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "_kit/stored_types.hpp"
#include "fanout/connector/abi.h"

namespace fanout::kit {

class TestRow {
  public:
    explicit TestRow(std::string schema = "public", std::string name = "t", char identity = 'd')
        : schema_(std::move(schema)), name_(std::move(name)), identity_(identity) {}

    template <typename T>
    TestRow& fixed(const char* name, Oid32 oid, T value, unsigned flags = 0) {
        const std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
        return add(name, oid, FANOUT_FIXED, bytes, flags, sizeof value);
    }
    TestRow& bytes(const char* name, Oid32 oid, std::string_view payload, unsigned flags = 0) {
        return add(name, oid, FANOUT_BYTES, payload, flags, 0);
    }
    TestRow& text_form(const char* name, Oid32 oid, std::string_view text) {
        return add(name, oid, FANOUT_TEXT_FORM, text, 0, 0);
    }
    TestRow& numeric(const char* name, std::initializer_list<std::uint16_t> stored) {
        return add(name, type_oid::kNumeric, FANOUT_NUMERIC,
                   {reinterpret_cast<const char*>(stored.begin()), stored.size() * 2}, 0, 0);
    }
    /// The value of the column added last is of this state instead.
    TestRow& but(fanout_value_state state) {
        values_.back().state = static_cast<std::uint8_t>(state);
        return *this;
    }

    const fanout_value* values() const { return values_.data(); }
    const fanout_table& table() {
        table_ = {.oid = 16384,
                  .version = version_,
                  .schema = {schema_.data(), schema_.size()},
                  .name = {name_.data(), name_.size()},
                  .columns = columns_.data(),
                  .column_count = columns_.size(),
                  .identity = identity_};
        return table_;
    }
    TestRow& version(std::uint64_t number) {
        version_ = number;
        return *this;
    }
    fanout_change insert() {
        fanout_change change{};
        change.op = FANOUT_INSERT;
        change.index = 1;
        change.table = &table();
        change.after = values();
        return change;
    }
    fanout_change erase(fanout_before_kind kind = FANOUT_BEFORE_KEY) {
        fanout_change change{};
        change.op = FANOUT_DELETE;
        change.before_kind = static_cast<std::uint8_t>(kind);
        change.index = 1;
        change.table = &table();
        change.before = values();
        return change;
    }

  private:
    TestRow& add(const char* name, Oid32 oid, fanout_value_class value_class,
                 std::string_view payload, unsigned flags, std::size_t width) {
        const std::string& kept = kept_.emplace_back(payload);
        fanout_column column{};
        column.name = {name, std::strlen(name)};
        column.type_oid = oid;
        column.typmod = -1;
        column.width = static_cast<std::uint16_t>(width);
        column.value_class = static_cast<std::uint8_t>(value_class);
        column.flags = static_cast<std::uint8_t>(flags);
        columns_.push_back(column);
        values_.push_back({reinterpret_cast<const std::uint8_t*>(kept.data()),
                           static_cast<std::uint32_t>(kept.size()), FANOUT_PRESENT});
        return *this;
    }

    std::string schema_, name_;
    char identity_;
    std::uint64_t version_ = 1;
    std::deque<std::string> kept_;
    std::vector<fanout_column> columns_;
    std::vector<fanout_value> values_;
    fanout_table table_{};
};

inline constexpr unsigned kPrimaryKey =
    FANOUT_COLUMN_KEY | FANOUT_COLUMN_PRIMARY_KEY | FANOUT_COLUMN_NOT_NULL;

}  // namespace fanout::kit
