#include "apps/flashmoe/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "apps/flashmoe/command_line.h"
#include "measure/svg_chart.h"

namespace flashmoe::cli {
namespace {

constexpr double kWidth = 760, kHeight = 460;
constexpr double kLeft = 60, kRight = 130, kTop = 40, kBottom = 55;
// Told apart by the colour-blind, too.
constexpr std::array kColours = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                 "#d55e00", "#56b4e9", "#7f7f7f"};

double X(double per_cent) { return kLeft + per_cent / 100 * (kWidth - kLeft - kRight); }
double Y(double per_cent) {
  return kHeight - kBottom - per_cent / 100 * (kHeight - kTop - kBottom);
}

std::string Grid() {
  std::string svg;
  for (int tick = 0; tick <= 100; tick += 10) {
    svg += fmt::format(
        "<path d=\"M{0:.1f} {1:.1f}V{2:.1f}M{3:.1f} {4:.1f}H{5:.1f}\" stroke=\"#ddd\"/>\n"
        "<text x=\"{0:.1f}\" y=\"{6:.1f}\" text-anchor=\"middle\">{7}</text>\n"
        "<text x=\"{8:.1f}\" y=\"{9:.1f}\" text-anchor=\"end\">{7}</text>\n",
        X(tick), Y(0), Y(100), X(0), Y(tick), X(100), Y(0) + 18, tick, X(0) - 8, Y(tick) + 4);
  }
  return svg;
}

std::string Line(const PlotLine& line, const char* colour) {
  std::string path, dots;
  for (const auto& [x, y] : line.points) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", X(x), Y(y));
    dots += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}: {:.1f} % at {:.1f} "
        "%</title></circle>\n",
        X(x), Y(y), colour, EscapeMarkup(line.name), y, x);
  }
  return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{}/>\n{}", path,
                     colour, line.dashed ? " stroke-dasharray=\"6 4\"" : "", dots);
}

std::string LegendEntry(const PlotLine& line, const char* colour, double y) {
  return fmt::format(
      "<path d=\"M{:.1f} {:.1f}h24\" stroke=\"{}\" stroke-width=\"2\"{}/>\n"
      "<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
      X(100) + 14, y, colour, line.dashed ? " stroke-dasharray=\"6 4\"" : "", X(100) + 44, y + 4,
      EscapeMarkup(line.name));
}

}  // namespace

std::string EscapeMarkup(std::string_view text) { return EscapeHtml(Printable(std::string(text))); }

std::string PlotToSvg(const Plot& plot) {
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      "<text x=\"{2:.1f}\" y=\"22\" font-size=\"15\" text-anchor=\"middle\">{3}</text>\n"
      "<text x=\"{2:.1f}\" y=\"{4:.1f}\" text-anchor=\"middle\">{5}</text>\n"
      "<text transform=\"translate(18 {6:.1f}) rotate(-90)\" text-anchor=\"middle\">{7}</text>\n",
      kWidth, kHeight, X(50), EscapeMarkup(plot.title), kHeight - 14, EscapeMarkup(plot.x_label),
      Y(50), EscapeMarkup(plot.y_label));
  svg += Grid();
  double legend_y = Y(100) + 8;
  for (size_t i = 0; i < plot.lines.size(); ++i, legend_y += 20) {
    const char* colour = kColours[i % kColours.size()];
    svg += Line(plot.lines[i], colour) + LegendEntry(plot.lines[i], colour, legend_y);
  }
  return svg + "</svg>\n";
}

}  // namespace flashmoe::cli
