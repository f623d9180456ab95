// Columns of text in the width there is. Pure: from cells to lines.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fanout::ctl {

enum class Color { none, dim, bold, green, yellow, red, cyan };

/// How the lines are to look.
struct Look {
    std::size_t width = 80;
    std::size_t height = 0;  // 0: as many lines as it takes
    bool color = false;
    bool unicode = true;
};

std::string painted(const std::string& text, Color color, const Look& look);

struct Column {
    std::string title;
    bool right = false;
    std::size_t least = 0;  // 0: never narrower than its cells; else may be cut down to this
};

struct Cell {
    std::string text;
    Color color = Color::none;
    double bar = -1;  // 0 to 1: a progress bar before the text, as wide as there is room
};

/// A title line and one line per row, none longer than look.width.
std::vector<std::string> table_lines(const std::vector<Column>& columns,
                                     const std::vector<std::vector<Cell>>& rows, const Look& look);

/// Text in lines of at most look.width, each begun with `indent` spaces.
std::vector<std::string> wrapped(const std::string& text, std::size_t indent, const Look& look);

}  // namespace fanout::ctl
