// Changes as JSON lines, the format of the connectors that write text:
//
//   {"op":"insert","schema":"public","table":"orders","xid":741,"lsn":"0/1A2B3C8","index":0,
//    "commit_time":"2026-11-22T10:00:00.123456Z","key":{"id":1},"before":null,
//    "after":{"id":1,"total":12.50},"unchanged":[]}
//
// One thread at a time. Owns the prepared texts of the tables it has seen; writes into a buffer the
// caller reuses. Never changes a value: what each type becomes stands in json_types.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "_kit/json_types.hpp"
#include "_kit/unrepresentable.hpp"
#include "fanout/connector/abi.h"

namespace fanout::kit {

class JsonEncoder {
  public:
    explicit JsonEncoder(Unrepresentable policy = Unrepresentable::text) : policy_(policy) {}

    /// Appends `change` as one line ended by '\n'; a truncate as one line per table. Throws
    /// FANOUT_REJECT for a value the policy refuses; `out` then ends in the middle of a line.
    void append(std::string& out, const fanout_transaction& transaction,
                const fanout_change& change);

    /// `spill` may take bytes away from `out` in the midst of a line: then a value of a gigabyte is
    /// never in memory as a whole. It decides when.
    void spill_to(std::function<void(std::string& out)> spill) { spill_ = std::move(spill); }

    /// Table versions are unique within one open only: call when a new one begins.
    void forget_tables();

  private:
    struct Column {
        std::string name;    // quoted
        std::string member;  // a comma, the name, a colon
        JsonForm form;
        bool key;
    };
    struct Table {
        std::uint64_t version;
        std::string place;  // "schema":…,"table":…,
        std::vector<Column> columns;
        bool has_key;
    };

    const Table& table_for(const fanout_table& table);
    void use_transaction(const fanout_transaction& transaction);
    void append_position(std::string& out, const fanout_change& change) const;
    void append_row(std::string& out, const fanout_change& change);
    void append_truncate(std::string& out, const fanout_change& change);
    void append_message(std::string& out, const fanout_change& change) const;
    void append_key(std::string& out, const Table& table, const fanout_change& change);
    void append_image(std::string& out, const Table& table, const fanout_table& shape,
                      const fanout_value* values);
    void append_value(std::string& out, const Column& how, const fanout_column& column,
                      const fanout_value& value);
    void append_text_value(std::string& out, JsonForm form, const fanout_column& column,
                           const fanout_value& value);
    void append_huge_text(std::string& out, JsonForm form, const fanout_column& column,
                          std::string_view text);
    template <typename Append>
    void append_in_pieces(std::string& out, std::string_view bytes, bool utf8, Append append_piece);
    void append_unrepresentable(std::string& out, const fanout_column& column,
                                std::string_view what, std::string_view text) const;

    void append_number(std::string& out, const fanout_column& column, const fanout_value& value);

    const Unrepresentable policy_;
    std::unordered_map<std::uint32_t, Table> tables_;
    std::uint64_t commit_lsn_ = 0;
    std::string place_in_log_;  // "xid":…,"lsn":…,"index":
    std::string commit_time_;   // ,"commit_time":…
    std::string scratch_;
    std::function<void(std::string&)> spill_;
};

}  // namespace fanout::kit
