#include "terminal/live_area.h"

#include <fmt/format.h>

#include <algorithm>

namespace flashmoe::terminal {

// Terminals wrap rows anew when they become narrower.
int LiveArea::Height(const Row& row) const {
  return std::max(1, (row.columns + size_.columns - 1) / std::max(size_.columns, 1));
}

size_t LiveArea::FirstReachable() const {
  int height = 0;
  size_t first = shown_.size();
  while (first > 0 && height + Height(shown_[first - 1]) <= size_.rows) {
    height += Height(shown_[--first]);
  }
  return first;
}

void LiveArea::Update(const std::vector<Row>& done, const std::vector<Row>& live) {
  std::vector<Row> rows = done;
  rows.insert(rows.end(), live.begin(), live.end());
  size_t same = 0;
  while (same < rows.size() && same < shown_.size() && rows[same] == shown_[same]) ++same;
  std::string out;
  if (same < rows.size() || same < shown_.size()) {
    // The row from which on everything is written again; one that is there, unless none is left.
    size_t from = std::min(std::max(same, FirstReachable()), rows.size());
    if (from == rows.size() && from > 0) --from;
    int old_height = 0;
    for (size_t i = from; i < shown_.size(); ++i) old_height += Height(shown_[i]);
    if (old_height > 1) out += fmt::format("\x1b[{}A", old_height - 1);
    if (old_height == 0 && from > 0) out += '\n';
    out += '\r';
    for (size_t i = from; i < rows.size(); ++i) {
      if (i > from) out += "\r\n";
      out += ToAnsi(rows[i].spans);
      if (old_height > 0) out += "\x1b[K";
    }
    // Only where something is left below: some terminals take a whole screen that is cleared for
    // one worth keeping.
    if (old_height > static_cast<int>(rows.size() - from)) out += "\x1b[J";
  }
  if (live.empty() && !rows.empty()) out += "\r\n";
  shown_ = live;
  if (!out.empty()) sink_(out);
}

}  // namespace flashmoe::terminal
