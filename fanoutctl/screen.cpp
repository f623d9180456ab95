// See screen.hpp. With a height given, the backfills get the lines that are left.
#include "fanoutctl/screen.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "fanoutctl/figures.hpp"

namespace fanout::ctl {
namespace {

using Lines = std::vector<std::string>;

constexpr std::size_t kBackfillsAtLeast = 3;

Color color_of(std::string_view state) {
    for (const auto* good : {"streaming", "complete", "copying", "indexing", "ok"})
        if (state == good) return Color::green;
    for (const auto* bad : {"failed", "denied", "needs_resync", "slot_lost", "error"})
        if (state == bad) return Color::red;
    return Color::yellow;
}

std::size_t rank_of(const BackfillRow& row) {
    constexpr std::array<std::string_view, 7> kOrder{"failed", "copying", "indexing", "waiting",
                                                     "paused", "pending", "cancelled"};
    return static_cast<std::size_t>(std::find(kOrder.begin(), kOrder.end(), row.state) -
                                    kOrder.begin());
}

void append(Lines& lines, const Lines& more) {
    lines.insert(lines.end(), more.begin(), more.end());
}

void append_text(Lines& lines, const std::string& text, Color color, const Look& look) {
    for (const auto& line : wrapped(printable(text), 2, look))
        lines.push_back(painted(line, color, look));
}

Lines title_lines(const Snapshot& snapshot, const FrameOptions& options, const Look& look) {
    const std::string name =
        cut("pg_fanout: " + printable(snapshot.database), look.width / 2, look.unicode);
    std::size_t room = look.width - width_of(name);
    const auto daemon =
        cut(snapshot.daemon_connected ? "  fanoutd is connected" : "  no fanoutd is connected",
            room, look.unicode);
    room -= width_of(daemon);
    std::string line = painted(name, Color::bold, look) +
                       painted(daemon, snapshot.daemon_connected ? Color::green : Color::red, look);
    if (room >= snapshot.clock.size() + 2)
        line += std::string(room - snapshot.clock.size(), ' ') + snapshot.clock;
    Lines lines{line};
    if (!options.notice.empty()) append_text(lines, options.notice, Color::red, look);
    return lines;
}

Lines stream_lines(const Snapshot& snapshot, const Look& look) {
    if (snapshot.streams.empty())
        return wrapped("no stream yet; to start one: SELECT fanout.start_stream();", 0, look);
    const std::vector<Column> columns{
        {"stream", false, 8}, {"state", false, 0}, {"WAL kept", true, 0}, {"journal", true, 0}};
    Lines errors;
    std::vector<std::vector<Cell>> rows;
    for (const auto& stream : snapshot.streams) {
        rows.push_back({{printable(stream.name)},
                        {stream.state, color_of(stream.state)},
                        {size_text(stream.retained_wal_bytes)},
                        {stream.journal_bytes ? size_text(*stream.journal_bytes) : "-"}});
        if (!stream.error.empty())
            append_text(errors, stream.name + ": " + stream.error, Color::red, look);
    }
    auto lines = table_lines(columns, rows, look);
    append(lines, errors);
    return lines;
}

bool is_in_trouble(const SubscriptionRow& row) {
    return row.state == "retrying" || color_of(row.state) == Color::red;
}

Lines subscription_lines(const Snapshot& snapshot, const Look& look) {
    if (snapshot.subscriptions.empty())
        return wrapped("no subscription yet; fanout.create_subscription() makes one", 0, look);
    const std::vector<Column> columns{
        {"subscription", false, 10}, {"target", false, 8}, {"state", false, 0}, {"rows", true, 0},
        {"rows/s", true, 0},         {"lag", true, 0},     {"behind", true, 0}};
    Lines errors;
    std::vector<std::vector<Cell>> rows;
    for (const auto& row : snapshot.subscriptions) {
        const bool late = row.lag_seconds >= 10;
        rows.push_back({{printable(row.name)},
                        {printable(row.target)},
                        {row.state, color_of(row.state)},
                        {count_text(row.rows_delivered)},
                        {row.rows_per_second ? count_text(*row.rows_per_second) : "-"},
                        {size_text(row.lag_bytes)},
                        {duration_text(row.lag_seconds), late ? Color::yellow : Color::none}});
        if (!is_in_trouble(row) || row.last_error.empty()) continue;
        append_text(errors, row.name + ": " + row.last_error, Color::red, look);
        if (!row.last_error_hint.empty())
            append_text(errors, row.last_error_hint, Color::none, look);
    }
    auto lines = table_lines(columns, rows, look);
    append(lines, errors);
    return lines;
}

std::vector<Cell> backfill_cells(const BackfillRow& row) {
    Cell progress{"-", color_of(row.state), -1};
    if (row.percent) {
        // Rounded down: 100 is for those that are complete.
        progress.text = std::to_string(static_cast<int>(*row.percent)) + " %";
        progress.bar = *row.percent / 100;
    }
    return {{printable(row.subscription)},
            {printable(row.table)},
            {row.state, color_of(row.state)},
            progress,
            {count_text(row.rows_done)},
            {row.rows_per_second ? count_text(*row.rows_per_second) : "-"},
            {row.eta_seconds ? duration_text(*row.eta_seconds) : "-"}};
}

void append_reason(Lines& lines, const BackfillRow& row, const Look& look) {
    const std::string what = row.table + ": ";
    if (!row.last_error.empty()) append_text(lines, what + row.last_error, Color::red, look);
    if (!row.last_error.empty() && !row.last_error_hint.empty())
        append_text(lines, row.last_error_hint, Color::none, look);
    if (!row.detail.empty() && row.state != "pending" && row.state != "paused")
        append_text(lines, what + row.detail, Color::yellow, look);
}

/// Those that are under way before those that are done.
Lines backfill_lines(const Snapshot& snapshot, const FrameOptions& options, std::size_t room,
                     const Look& look) {
    std::vector<BackfillRow> chosen = snapshot.backfills;
    std::stable_sort(chosen.begin(), chosen.end(),
                     [](const auto& a, const auto& b) { return rank_of(a) < rank_of(b); });
    const auto complete = static_cast<std::size_t>(std::count_if(
        chosen.begin(), chosen.end(), [](const auto& row) { return row.state == "complete"; }));
    const std::size_t unfinished = chosen.size() - complete;
    std::size_t shown = options.every_backfill ? chosen.size() : unfinished;
    if (room != 0)
        shown = std::min(chosen.size(),
                         std::max(room - std::min(room, std::size_t{3}), kBackfillsAtLeast));
    std::vector<std::vector<Cell>> rows;
    Lines reasons;
    for (std::size_t i = 0; i < shown; ++i) {
        rows.push_back(backfill_cells(chosen[i]));
        append_reason(reasons, chosen[i], look);
    }
    Lines lines;
    if (shown != 0)
        lines = table_lines({{"backfill of", false, 8},
                             {"table", false, 12},
                             {"state", false, 0},
                             {"progress", true, 0},
                             {"rows", true, 0},
                             {"rows/s", true, 0},
                             {"left", true, 0}},
                            rows, look);
    append(lines, reasons);
    const std::size_t hidden_unfinished = unfinished - std::min(unfinished, shown);
    const std::size_t hidden_complete = complete - (shown - std::min(unfinished, shown));
    if (hidden_unfinished != 0)
        lines.push_back("and " + std::to_string(hidden_unfinished) + " more to be copied");
    if (hidden_complete != 0)
        lines.push_back((shown == 0 ? "backfills: " : "and ") + std::to_string(hidden_complete) +
                        (hidden_complete == 1 ? " table" : " tables") + " complete");
    return lines;
}

}  // namespace

Lines frame_lines(const Snapshot& snapshot, const FrameOptions& options, const Look& look) {
    Lines lines = title_lines(snapshot, options, look);
    const auto section = [&](const Lines& more) {
        if (more.empty()) return;
        lines.emplace_back();
        append(lines, more);
    };
    section(stream_lines(snapshot, look));
    section(subscription_lines(snapshot, look));
    const std::size_t last = options.keys.empty() ? 0 : 2;
    std::size_t room = 0;
    if (look.height != 0) {
        const auto taken = lines.size() + 1 + last;
        room = look.height > taken ? look.height - taken : 1;
    }
    if (!snapshot.backfills.empty()) section(backfill_lines(snapshot, options, room, look));
    if (look.height != 0 && lines.size() + last > look.height)
        lines.resize(look.height > last ? look.height - last : 1);
    if (last != 0) {
        lines.emplace_back();
        lines.push_back(painted(options.keys, Color::dim, look));
    }
    return lines;
}

Lines check_lines(const std::vector<CheckRow>& rows, const Look& look) {
    std::vector<std::vector<Cell>> cells;
    for (const auto& row : rows)
        cells.push_back(
            {{row.state, color_of(row.state)}, {printable(row.item)}, {printable(row.detail)}});
    auto lines =
        table_lines({{"state", false, 0}, {"item", false, 20}, {"detail", false, 20}}, cells, look);
    for (const auto& row : rows) {
        if (row.remedy.empty()) continue;
        lines.emplace_back();
        lines.push_back(painted(printable(row.item) + ": ", color_of(row.state), look) +
                        printable(row.detail));
        // Not wrapped and not cut: it is there to be pasted.
        lines.push_back("  " + printable(row.remedy));
    }
    return lines;
}

bool has_error(const std::vector<CheckRow>& rows) {
    return std::any_of(rows.begin(), rows.end(),
                       [](const auto& row) { return row.state == "error"; });
}

}  // namespace fanout::ctl
