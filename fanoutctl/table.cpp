// See table.hpp.
#include "fanoutctl/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "fanoutctl/figures.hpp"

namespace fanout::ctl {
namespace {

constexpr std::size_t kGap = 2, kBarWidest = 24, kBarLeast = 4;

const char* code_of(Color color) {
    switch (color) {
        case Color::dim:
            return "2";
        case Color::bold:
            return "1";
        case Color::green:
            return "32";
        case Color::yellow:
            return "33";
        case Color::red:
            return "31";
        case Color::cyan:
            return "36";
        case Color::none:
            break;
    }
    return "";
}

std::string spaces(std::size_t count) {
    return std::string(count, ' ');
}

/// Filled in eighths of a character, so that it moves even when it is short.
std::string bar_text(double part, std::size_t width, bool unicode) {
    static constexpr std::array<const char*, 8> kEighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    part = std::clamp(part, 0.0, 1.0);
    if (!unicode) {
        const auto full = static_cast<std::size_t>(part * static_cast<double>(width));
        return std::string(full, '#') + std::string(width - full, '.');
    }
    const auto eighths = static_cast<std::size_t>(part * static_cast<double>(width) * 8);
    std::string text;
    for (std::size_t i = 0; i < eighths / 8; ++i)
        text += "█";
    std::size_t used = eighths / 8;
    if (eighths % 8 != 0 && used < width) {
        text += kEighths[eighths % 8];
        ++used;
    }
    for (; used < width; ++used)
        text += "░";
    return text;
}

struct Widths {
    std::vector<std::size_t> columns;  // those that have room at all
    std::size_t bar = 0;               // of the column that has bars
};

std::size_t total(const std::vector<std::size_t>& widths) {
    std::size_t sum = 0;
    for (const auto width : widths)
        sum += width + kGap;
    return sum == 0 ? 0 : sum - kGap;
}

/// The widest column that may give way, or none.
std::size_t widest(const std::vector<Column>& columns, const std::vector<std::size_t>& widths) {
    std::size_t found = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
        if (columns[i].least == 0 || widths[i] <= columns[i].least) continue;
        if (found == widths.size() || widths[i] > widths[found]) found = i;
    }
    return found;
}

/// Long names give way first, then the columns at the right.
void shrink(const std::vector<Column>& columns, std::vector<std::size_t>& widths,
            std::size_t room) {
    while (total(widths) > room) {
        const auto giving = widest(columns, widths);
        if (giving < widths.size()) {
            --widths[giving];
        } else if (widths.size() > 1) {
            widths.pop_back();
        } else {
            widths[0] = room;
        }
    }
}

Widths fit(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows,
           const Look& look) {
    Widths fitted;
    std::size_t barred = columns.size();
    for (std::size_t i = 0; i < columns.size(); ++i) {
        std::size_t width = 0;
        bool has_bar = false;
        for (const auto& row : rows) {
            width = std::max(width, width_of(row[i].text));
            has_bar = has_bar || row[i].bar >= 0;
        }
        if (has_bar) {
            barred = i;
            width += kBarLeast + 1;
        }
        fitted.columns.push_back(std::max(width, width_of(columns[i].title)));
    }
    shrink(columns, fitted.columns, look.width);
    if (barred < fitted.columns.size()) {
        const auto spare = look.width - total(fitted.columns);
        fitted.bar = kBarLeast + std::min(spare, kBarWidest - kBarLeast);
        fitted.columns[barred] += fitted.bar - kBarLeast;
    }
    return fitted;
}

std::string cell_text(const Cell& cell, const Column& column, std::size_t width, std::size_t bar,
                      bool last, const Look& look) {
    if (cell.bar >= 0 && bar != 0) {
        const auto room = width - bar - 1;
        const auto text = cut(cell.text, room, look.unicode);
        return painted(bar_text(cell.bar, bar, look.unicode), cell.color, look) + " " +
               spaces(room - width_of(text)) + text;
    }
    const auto text = cut(cell.text, width, look.unicode);
    const auto padding = spaces(width - width_of(text));
    if (column.right) return padding + painted(text, cell.color, look);
    return painted(text, cell.color, look) + (last ? "" : padding);
}

}  // namespace

std::string painted(const std::string& text, Color color, const Look& look) {
    if (!look.color || color == Color::none || text.empty()) return text;
    return std::string("\x1b[") + code_of(color) + "m" + text + "\x1b[0m";
}

std::vector<std::string> table_lines(const std::vector<Column>& columns,
                                     const std::vector<std::vector<Cell>>& rows, const Look& look) {
    const auto fitted = fit(columns, rows, look);
    std::vector<std::string> lines;
    const auto add = [&](const std::vector<Cell>& cells) {
        std::string line;
        for (std::size_t i = 0; i < fitted.columns.size(); ++i) {
            const bool last = i + 1 == fitted.columns.size();
            line += cell_text(cells[i], columns[i], fitted.columns[i], fitted.bar, last, look);
            if (!last) line += spaces(kGap);
        }
        lines.push_back(line);
    };
    std::vector<Cell> titles;
    for (const auto& column : columns)
        titles.push_back({column.title, Color::dim, -1});
    add(titles);
    for (const auto& row : rows)
        add(row);
    return lines;
}

std::vector<std::string> wrapped(const std::string& text, std::size_t indent, const Look& look) {
    const std::size_t room = look.width > indent + 10 ? look.width - indent : 10;
    std::vector<std::string> lines;
    std::string line;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const auto end = std::min(text.find(' ', begin), text.size());
        const auto word = cut(text.substr(begin, end - begin), room, look.unicode);
        if (!line.empty() && width_of(line) + 1 + width_of(word) > room) {
            lines.push_back(spaces(indent) + line);
            line.clear();
        }
        line += (line.empty() ? "" : " ") + word;
        begin = end + 1;
    }
    if (!line.empty()) lines.push_back(spaces(indent) + line);
    return lines;
}

}  // namespace fanout::ctl
