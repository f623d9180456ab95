// A table's progress as a note: JSON, small, readable. What is under way counts as still to come.
#include <nlohmann/json.hpp>

#include "fanout/base/lsn_text.hpp"
#include "sidecar/backfill/table_copy.hpp"

namespace fanout::backfill {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

std::string hex_of(const std::string& bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        out += kDigits[static_cast<unsigned char>(c) >> 4];
        out += kDigits[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

std::string bytes_of(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return out;
}

json bound_json(const Bound& bound) {
    if (bound.key == nullptr) return nullptr;
    json values = json::array();
    for (const auto& value : *bound.key)
        values.push_back(hex_of(value));
    return {{"key", values}, {"behind", bound.behind}};
}

Bound bound_of(const json& object) {
    Bound bound;
    if (object.is_null()) return bound;
    KeyValues values;
    for (const auto& value : object.at("key"))
        values.push_back(bytes_of(value.get<std::string>()));
    bound.key = std::make_shared<const KeyValues>(std::move(values));
    bound.behind = object.at("behind").get<bool>();
    return bound;
}

const char* state_text(CopyState state) {
    switch (state) {
        case CopyState::fresh:
            return "fresh";
        case CopyState::copying:
            return "copying";
        case CopyState::indexing:
            return "indexing";
        case CopyState::cancelled:
            return "cancelled";
        case CopyState::complete:
        case CopyState::gone:
            break;
    }
    return "complete";
}

json ranges_json(const RangeMap& map) {
    json ranges = json::array();
    for (const Range& range : map.ranges()) {
        json entry{{"to", bound_json(range.upper)}};
        if (range.single) entry["single"] = true;
        if (range.state == RangeState::done) entry["state"] = "done";
        if (range.state == RangeState::landed) {
            entry["state"] = "landed";
            entry["snapshot"] = range.snapshot->text();
            entry["until"] = lsn_text(range.passed_at);
        }
        ranges.push_back(std::move(entry));
    }
    return ranges;
}

std::vector<Range> ranges_of(const json& list) {
    std::vector<Range> ranges;
    for (const auto& entry : list) {
        Range range;
        range.upper = bound_of(entry.at("to"));
        range.single = entry.value("single", false);
        if (range.single && range.upper.key == nullptr) throw std::runtime_error("no key");
        const std::string state = entry.value("state", "");
        if (state == "done") range.state = RangeState::done;
        if (state == "landed") {
            range.state = RangeState::landed;
            const auto snapshot = Snapshot::parse(entry.at("snapshot").get<std::string>());
            const auto until = parse_lsn(entry.at("until").get<std::string>());
            if (!snapshot || !until) throw std::runtime_error("bad snapshot");
            range.snapshot = std::make_shared<const Snapshot>(*snapshot);
            range.passed_at = *until;
        }
        ranges.push_back(std::move(range));
    }
    if (ranges.empty() || ranges.back().upper.key != nullptr)
        throw std::runtime_error("ranges do not cover the table");
    return ranges;
}

json key_json(const KeyShape& key) {
    json parts = json::array();
    for (std::size_t i = 0; i < key.kinds.size(); ++i) {
        json part{{"column", key.columns[i]},
                  {"quoted", key.quoted[i]},
                  {"kind", static_cast<int>(key.kinds[i])}};
        if (key.server_ordered()) part["by"] = key.orders[i].by;
        if (key.server_ordered() && !key.orders[i].labels_hash.empty())
            part["labels"] = key.orders[i].labels_hash;
        parts.push_back(std::move(part));
    }
    return parts;
}

KeyShape key_of(const json& parts) {
    KeyShape key;
    for (const auto& part : parts) {
        key.columns.push_back(part.at("column").get<std::string>());
        key.quoted.push_back(part.at("quoted").get<std::string>());
        key.kinds.push_back(static_cast<KeyKind>(part.at("kind").get<int>()));
        if (!part.contains("by")) continue;
        // Enough to judge by, and to see that it is the same: a reader looks for the rest.
        auto& order = key.orders.emplace_back();
        order.by = part.at("by").get<std::string>();
        order.labels_hash = part.value("labels", "");
    }
    if (key.server_ordered() && key.orders.size() != key.kinds.size())
        throw std::runtime_error("bad key");
    return key;
}

}  // namespace

std::string TableCopy::note(std::uint32_t subscription) const {
    json out{{"version", kVersion},
             {"subscription", subscription},
             {"generation", request.generation},
             {"schema", request.schema},
             {"name", request.name},
             {"state", state_text(state)},
             {"lenient", lenient},
             {"foreign_rows", foreign_rows},
             {"prepared", prepared},
             {"truncate", needs_truncate},
             {"rows", rows},
             {"bytes", bytes},
             {"chunks", chunks},
             {"retries", retries}};
    if (mode == CopyMode::snapshot) out["mode"] = "snapshot";
    if (mode == CopyMode::ordered && shape && shape->key && state == CopyState::copying) {
        out["mode"] = "ordered";
        out["key"] = key_json(*shape->key);
        out["stamp"] = shape->stamp;
        out["ranges"] = ranges_json(ranges);
    }
    if (state == CopyState::complete && !detail.empty()) out["detail"] = detail;
    if (state == CopyState::complete && !last_error.empty()) {
        out["last_error"] = last_error;
        out["last_error_hint"] = last_error_hint;
    }
    // A connector may hold a note in text that is UTF-8; a name may be of another encoding.
    return out.dump(-1, ' ', true, json::error_handler_t::replace);
}

bool TableCopy::take_note(const std::string& text, std::uint32_t subscription) {
    try {
        const json in = json::parse(text);
        if (in.at("version").get<int>() != kVersion) return false;
        if (in.at("subscription").get<std::uint32_t>() != subscription) return false;
        TableCopy made;
        made.request.table = request.table;
        made.request.generation = in.at("generation").get<std::uint32_t>();
        made.request.schema = in.at("schema").get<std::string>();
        made.request.name = in.at("name").get<std::string>();
        made.lenient = in.at("lenient").get<bool>();
        made.foreign_rows = in.value("foreign_rows", false);
        made.prepared = in.at("prepared").get<bool>();
        made.needs_truncate = in.at("truncate").get<bool>();
        made.rows = in.at("rows").get<std::uint64_t>();
        made.bytes = in.at("bytes").get<std::uint64_t>();
        made.chunks = in.at("chunks").get<std::uint64_t>();
        made.retries = in.at("retries").get<std::uint64_t>();
        const std::string was = in.at("state").get<std::string>();
        const bool in_order = in.value("mode", "") == "ordered";
        if (was == "complete") made.state = CopyState::complete;
        // Which of its indexes are there is the target's to know.
        if (was == "indexing") made.state = CopyState::indexing;
        made.detail = in.value("detail", "");
        made.last_error = in.value("last_error", "");
        made.last_error_hint = in.value("last_error_hint", "");
        if (was == "cancelled") made.state = CopyState::cancelled;
        if (was == "copying" && in_order) {
            made.state = CopyState::copying;
            made.mode = CopyMode::ordered;
            made.ranges = RangeMap(ranges_of(in.at("ranges")));
            // Until a reader has looked at the table: enough to judge by.
            auto known = std::make_shared<TableShape>();
            known->key = key_of(in.at("key"));
            known->stamp = in.value("stamp", "");
            known->keyed = true;
            made.shape = std::move(known);
        }
        // One snapshot cannot be taken up again: from the beginning.
        if (was == "copying" && !in_order) made.restart();
        made.note_due = false;
        *this = std::move(made);
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

}  // namespace fanout::backfill
