#include "terminal/table.h"

#include <algorithm>

#include "terminal/inline_markdown.h"

namespace flashmoe::terminal {
namespace {

constexpr int kLeastColumn = 4;
constexpr int kSeparator = 3;  // " │ "

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

Spans Cell(const Table& table, size_t row, size_t column) {
  const auto& cells = table.cells[row];
  if (column >= cells.size()) return {};
  return ParseInline(cells[column], {.base = row == 0 ? kBold : kPlain}).spans;
}

int WidestRow(const Spans& cell) {
  int columns = 0;
  for (const Row& row : WrapText(cell, 1 << 20)) columns = std::max(columns, row.columns);
  return columns;
}

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

void AppendAligned(Spans& spans, const Row& text, int width, Alignment alignment, bool last) {
  const int room = std::max(width - text.columns, 0);
  const int before = alignment == Alignment::kRight    ? room
                     : alignment == Alignment::kCentre ? room / 2
                                                       : 0;
  Append(spans, std::string(before, ' '), kPlain);
  Append(spans, text.spans);
  if (!last) Append(spans, std::string(room - before, ' '), kPlain);
}

}  // namespace

std::vector<std::string> SplitCells(std::string_view line) {
  line = Trim(line);
  if (line.starts_with('|')) line.remove_prefix(1);
  std::vector<std::string> cells(1);
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      if (line[i + 1] != '|') cells.back() += '\\';
      cells.back() += line[++i];
    } else if (line[i] == '|') {
      if (i + 1 == line.size()) break;
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  for (std::string& cell : cells) cell = Trim(cell);
  return cells;
}

std::optional<std::vector<Alignment>> ParseDelimiterRow(std::string_view line) {
  if (line.find_first_not_of("|-: \t") != std::string_view::npos) return std::nullopt;
  std::vector<Alignment> alignments;
  for (const std::string& cell : SplitCells(line)) {
    const bool left = cell.starts_with(':');
    const bool right = cell.size() > 1 && cell.ends_with(':');
    const std::string_view dashes = std::string_view(cell).substr(left, cell.size() - left - right);
    if (dashes.empty() || dashes.find_first_not_of('-') != std::string_view::npos) {
      return std::nullopt;
    }
    alignments.push_back(left && right ? Alignment::kCentre
                         : right       ? Alignment::kRight
                                       : Alignment::kLeft);
  }
  return alignments;
}

std::vector<int> ColumnWidths(const Table& table, int width) {
  const size_t columns = table.alignments.size();
  std::vector<int> widths(columns, 1);
  for (size_t row = 0; row < table.cells.size(); ++row) {
    for (size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], WidestRow(Cell(table, row, c)));
    }
  }
  const int room = width - kSeparator * (static_cast<int>(columns) - 1);
  int excess = -room;
  for (const int w : widths) excess += w;
  while (excess > 0) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kLeastColumn) break;
    // Down to the next widest, or by what is missing.
    int next = kLeastColumn;
    for (const int w : widths) {
      if (w < *widest) next = std::max(next, w);
    }
    const int cut = std::max(1, std::min(excess, *widest - next));
    *widest -= cut;
    excess -= cut;
  }
  return widths;
}

std::vector<Row> RenderTableRow(const Table& table, size_t row, const std::vector<int>& widths,
                                const Prefix& prefix) {
  std::vector<std::vector<Row>> cells;
  size_t height = 1;
  for (size_t c = 0; c < widths.size(); ++c) {
    cells.push_back(WrapText(Cell(table, row, c), widths[c]));
    height = std::max(height, cells.back().size());
  }
  std::vector<Row> rows;
  for (size_t line = 0; line < height; ++line) {
    Spans spans = row == 0 && line == 0 ? prefix.first : prefix.rest;
    for (size_t c = 0; c < widths.size(); ++c) {
      if (c > 0) Append(spans, " │ ", kDim);
      const Row text = line < cells[c].size() ? cells[c][line] : Row{};
      AppendAligned(spans, text, widths[c], table.alignments[c], c + 1 == widths.size());
    }
    rows.push_back(MakeRow(std::move(spans)));
  }
  if (row == 0) {
    Spans spans = prefix.rest;
    for (size_t c = 0; c < widths.size(); ++c) {
      Append(spans, (c > 0 ? "─┼─" : "") + Repeat("─", widths[c]), kDim);
    }
    rows.push_back(MakeRow(std::move(spans)));
  }
  return rows;
}

}  // namespace flashmoe::terminal
