// Line plots as self-contained SVG: one file that any browser shows.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flashmoe::cli {

struct PlotLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // by x
  bool dashed = false;                            // a bound, not a contender
};

// Both axes are in per cent and go from 0 to 100.
struct Plot {
  std::string title, x_label, y_label;
  std::vector<PlotLine> lines;
};

std::string PlotToSvg(const Plot& plot);

// Text as it stands in SVG and HTML.
std::string EscapeMarkup(std::string_view text);

}  // namespace flashmoe::cli
