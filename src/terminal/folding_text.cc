#include "terminal/folding_text.h"

#include <algorithm>

#include "terminal/glyphs.h"
#include "terminal/layout.h"

namespace flashmoe::terminal {
namespace {

constexpr int kRowsMax = 6;
const Prefix kPrefix = {{{"  ", kDim}}, {{"  ", kDim}}};

}  // namespace

size_t FoldingText::RowsMax() const {
  return static_cast<size_t>(std::clamp(area_.size().rows / 3, 1, kRowsMax));
}

void FoldingText::EndLine() {
  if (line_.empty() && rows_.empty()) return;
  for (Row& row : WrapText({{line_, kDim}}, area_.size().columns - 1, kPrefix)) {
    rows_.push_back(std::move(row));
    if (rows_.size() > RowsMax()) rows_.pop_front();
  }
  line_.clear();
}

void FoldingText::Push(std::string_view text) {
  const std::string safe = safe_.Push(text);
  std::string_view rest = safe;
  for (size_t feed = rest.find('\n'); feed != std::string_view::npos; feed = rest.find('\n')) {
    line_ += rest.substr(0, feed);
    EndLine();
    rest.remove_prefix(feed + 1);
  }
  line_ += rest;
  Show();
}

void FoldingText::Show() {
  std::vector<Row> rows(rows_.begin(), rows_.end());
  if (!line_.empty()) {
    std::vector<Row> open = WrapText({{line_, kDim}}, area_.size().columns - 1, kPrefix);
    rows.insert(rows.end(), open.begin(), open.end());
    if (open.size() > 4 * RowsMax()) EndLine();  // goes on in a new row; nobody writes such lines
  }
  if (rows.size() > RowsMax())
    rows.erase(rows.begin(), rows.end() - static_cast<ptrdiff_t>(RowsMax()));
  area_.Update({}, rows);
}

void FoldingText::Fold(std::string_view line) {
  std::vector<Row> rows;
  if (!line.empty()) {
    rows.push_back(MakeRow({{FitColumns(HarmlessLine(line), area_.size().columns - 1), kDim}}));
  }
  area_.Update(rows, {});
  rows_.clear();
  line_.clear();
}

}  // namespace flashmoe::terminal
