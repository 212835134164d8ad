// Tables: GitHub's markdown to aligned columns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "terminal/layout.h"
#include "terminal/style.h"

namespace flashmoe::terminal {

enum class Alignment { kLeft, kCentre, kRight };

// The cells of a line like "| a | b |"; a "\|" is no border.
std::vector<std::string> SplitCells(std::string_view line);
// If the line is a delimiter row like "|:--|--:|".
std::optional<std::vector<Alignment>> ParseDelimiterRow(std::string_view line);

struct Table {
  std::vector<Alignment> alignments;            // one for each column
  std::vector<std::vector<std::string>> cells;  // markdown; the first row is the heading
};

// Columns for each column of the table so that it fits `width`: as wide as their longest cell, and
// where that is too much the widest give way first, down to 4 columns.
std::vector<int> ColumnWidths(const Table& table, int width);

// One row of cells; cells that do not fit take several rows of the screen. The first row of the
// table comes with the line below it.
std::vector<Row> RenderTableRow(const Table& table, size_t row, const std::vector<int>& widths,
                                const Prefix& prefix);

}  // namespace flashmoe::terminal
