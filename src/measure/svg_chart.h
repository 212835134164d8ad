// Charts as inline SVG, for pages that bring their own colours: shapes have classes (c0, c1, ...),
// not colours, so that they suit light and dark.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flashmoe {

struct ChartPoint {
  double x = 0, y = 0;
  double low = 0, high = 0;  // a range of y; equal: none
};

struct ChartLine {
  std::string name;
  int color = 0;
  bool dashed = false;
  std::vector<ChartPoint> points;  // by x
};

// Lines with a dot at each point. Both axes begin at 0.
std::string LineChart(std::string_view x_label, std::string_view y_label,
                      const std::vector<ChartLine>& lines);

struct BarPart {
  int color = 0;
  double value = 0;
  std::string name;  // shown on pointing at it
};

struct Bar {
  std::string label;
  std::vector<BarPart> parts;  // from the bottom up, or from the left
};

// Bars that stand side by side; labels that would overlap are left out.
std::string StackedColumns(std::string_view x_label, std::string_view y_label,
                           const std::vector<Bar>& bars);

// Bars that lie one below the other, with their sums.
std::string StackedRows(std::string_view x_label, const std::vector<Bar>& bars);

// Text as it may stand in HTML.
std::string EscapeHtml(std::string_view text);

}  // namespace flashmoe
