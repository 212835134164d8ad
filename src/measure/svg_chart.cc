#include "measure/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace flashmoe {
namespace {

constexpr double kWidth = 720, kHeight = 300;
constexpr double kLeft = 60, kRight = 16, kTop = 12, kBottom = 44;
constexpr double kRowHeight = 26, kRowLabels = 190;

// 1, 2 or 5 times a power of ten: about five steps up to `most`.
double StepOf(double most) {
  const double raw = most / 5;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * 0.999) return factor * power;
  }
  return 10 * power;
}

// Maps values from 0 up to a stretch of the picture.
struct Axis {
  double begin = 0, end = 0;  // in the picture
  double step = 1, most = 1;

  Axis(double begin_in, double end_in, double value_most) : begin(begin_in), end(end_in) {
    const double value = value_most > 0 ? value_most : 1;
    step = StepOf(value);
    most = std::ceil(value / step - 1e-9) * step;
  }
  double At(double value) const { return begin + (end - begin) * value / most; }
};

std::string Text(double x, double y, std::string_view anchor, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     EscapeHtml(text));
}

std::string Line(const char* style, double x1, double y1, double x2, double y2) {
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", style, x1,
      y1, x2, y2);
}

std::string Begin(double height) {
  return fmt::format("<svg viewBox=\"0 0 {} {:.0f}\" role=\"img\">\n", kWidth, height);
}

std::string Labels(std::string_view x_label, std::string_view y_label) {
  return Text((kLeft + kWidth) / 2, kHeight - 6, "middle", x_label) +
         fmt::format(
             "<text transform=\"translate(13 {:.0f}) rotate(-90)\" "
             "text-anchor=\"middle\">{}</text>\n",
             (kHeight - kBottom + kTop) / 2, EscapeHtml(y_label));
}

std::string HorizontalGrid(const Axis& y) {
  std::string svg;
  for (double value = 0; value < y.most * 1.001; value += y.step) {
    svg += Line(value == 0 ? "axis" : "grid", kLeft, y.At(value), kWidth - kRight, y.At(value));
    svg += Text(kLeft - 6, y.At(value) + 4, "end", fmt::format("{:.4g}", value));
  }
  return svg;
}

double SumOf(const Bar& bar) {
  return std::accumulate(bar.parts.begin(), bar.parts.end(), 0.0,
                         [](double sum, const BarPart& part) { return sum + part.value; });
}

double LongestOf(const std::vector<Bar>& bars) {
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, SumOf(bar));
  return most;
}

std::string Rectangle(const Bar& bar, const BarPart& part, double x, double y, double width,
                      double height) {
  return fmt::format(
      "<rect class=\"c{}\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\">"
      "<title>{}: {} {:.3g}</title></rect>\n",
      part.color, x, y, width, height, EscapeHtml(bar.label), EscapeHtml(part.name), part.value);
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string LineChart(std::string_view x_label, std::string_view y_label,
                      const std::vector<ChartLine>& lines) {
  double x_most = 0, y_most = 0;
  for (const ChartLine& line : lines) {
    for (const ChartPoint& p : line.points) {
      x_most = std::max(x_most, p.x);
      y_most = std::max({y_most, p.y, p.high});
    }
  }
  const Axis x(kLeft, kWidth - kRight, x_most), y(kHeight - kBottom, kTop, y_most);
  std::string svg = Begin(kHeight) + HorizontalGrid(y) + Labels(x_label, y_label);
  for (double value = 0; value < x.most * 1.001; value += x.step) {
    svg += Text(x.At(value), kHeight - kBottom + 18, "middle", fmt::format("{:.4g}", value));
  }
  for (const ChartLine& line : lines) {
    std::string path;
    for (const ChartPoint& p : line.points) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.At(p.x), y.At(p.y));
    }
    svg += fmt::format("<path class=\"line l{}{}\" d=\"{}\"/>\n", line.color,
                       line.dashed ? " dashed" : "", path);
    for (const ChartPoint& p : line.points) {
      if (p.high > p.low) {
        svg += Line(fmt::format("line l{}", line.color).c_str(), x.At(p.x), y.At(p.low), x.At(p.x),
                    y.At(p.high));
      }
      svg += fmt::format(
          "<circle class=\"c{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{}: {:.3g} at {:.4g}"
          "</title></circle>\n",
          line.color, x.At(p.x), y.At(p.y), EscapeHtml(line.name), p.y, p.x);
    }
  }
  return svg + "</svg>\n";
}

std::string StackedColumns(std::string_view x_label, std::string_view y_label,
                           const std::vector<Bar>& bars) {
  const Axis y(kHeight - kBottom, kTop, LongestOf(bars));
  const double pitch = (kWidth - kLeft - kRight) / std::max<double>(1, double(bars.size()));
  std::string svg = Begin(kHeight) + HorizontalGrid(y) + Labels(x_label, y_label);
  const auto every = static_cast<size_t>(std::ceil(26 / pitch));
  for (size_t i = 0; i < bars.size(); ++i) {
    const double left = kLeft + static_cast<double>(i) * pitch;
    double sum = 0;
    for (const BarPart& part : bars[i].parts) {
      const double height = y.At(sum) - y.At(sum + part.value);
      sum += part.value;
      svg += Rectangle(bars[i], part, left + pitch * 0.1, y.At(sum), pitch * 0.8, height);
    }
    if (i % every == 0 || i + 1 == bars.size()) {
      svg += Text(left + pitch / 2, kHeight - kBottom + 18, "middle", bars[i].label);
    }
  }
  return svg + "</svg>\n";
}

std::string StackedRows(std::string_view x_label, const std::vector<Bar>& bars) {
  const Axis x(kRowLabels, kWidth - 70, LongestOf(bars));
  const double bottom = kTop + kRowHeight * static_cast<double>(bars.size());
  std::string svg = Begin(bottom + kBottom);
  for (double value = 0; value < x.most * 1.001; value += x.step) {
    svg += Line(value == 0 ? "axis" : "grid", x.At(value), kTop, x.At(value), bottom);
    svg += Text(x.At(value), bottom + 18, "middle", fmt::format("{:.4g}", value));
  }
  svg += Text((x.begin + x.end) / 2, bottom + kBottom - 6, "middle", x_label);
  double top = kTop;
  for (const Bar& bar : bars) {
    svg += Text(kRowLabels - 8, top + kRowHeight / 2 + 4, "end", bar.label);
    double sum = 0;
    for (const BarPart& part : bar.parts) {
      const double width = x.At(sum + part.value) - x.At(sum);
      svg += Rectangle(bar, part, x.At(sum), top + 3, width, kRowHeight - 6);
      sum += part.value;
    }
    svg += Text(x.At(sum) + 6, top + kRowHeight / 2 + 4, "start", fmt::format("{:.4g}", sum));
    top += kRowHeight;
  }
  return svg + "</svg>\n";
}

}  // namespace flashmoe
