#include "apps/flashmoe/chat_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "terminal/glyphs.h"

namespace flashmoe::cli {
namespace {

struct Figure {
  std::string full, brief;
  int weight = 0;  // the least goes first where columns are few
};

double Percent(auto part, auto whole) {
  return 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::vector<Figure> Figures(const TurnFigures& f) {
  std::vector<Figure> figures;
  if (f.tokens_per_s > 0) {
    figures.push_back({fmt::format("{:.1f} tokens/s", f.tokens_per_s),
                       fmt::format("{:.1f} tok/s", f.tokens_per_s), 6});
  }
  figures.push_back({fmt::format("first after {:.2f} s", f.ttft_s),
                     fmt::format("first {:.{}f} s", f.ttft_s, f.ttft_s < 10 ? 2 : 1), 5});
  const int64_t read = f.prompt_tokens - f.reused_tokens;
  figures.push_back({fmt::format("{} read, {} known", read, f.reused_tokens),
                     fmt::format("{}/{} read", read, f.prompt_tokens), 1});
  if (f.expert_requests > 0) {
    const double hits = Percent(f.expert_hits, f.expert_requests);
    figures.push_back({fmt::format("{:.1f} % hits", hits), fmt::format("{:.0f} % hits", hits), 2});
  }
  if (f.read_s > 0) {
    const std::string rate =
        fmt::format("{:.2f} GB/s", static_cast<double>(f.bytes_read) / f.read_s / 1e9);
    figures.push_back({rate, rate, 3});
  }
  figures.push_back({fmt::format("context {}/{}", f.context_used, f.context),
                     fmt::format("ctx {:.0f} %", Percent(f.context_used, f.context)), 4});
  return figures;
}

std::string Joined(const std::vector<Figure>& figures, std::string Figure::*form) {
  std::string line;
  for (const Figure& figure : figures) line += (line.empty() ? "" : " · ") + figure.*form;
  return line;
}

}  // namespace

std::string FiguresLine(const TurnFigures& f, int columns) {
  std::vector<Figure> figures = Figures(f);
  std::string line = Joined(figures, &Figure::full);
  if (terminal::Columns(line) <= columns) return line;
  line = Joined(figures, &Figure::brief);
  while (terminal::Columns(line) > columns && figures.size() > 1) {
    figures.erase(std::ranges::min_element(figures, {}, &Figure::weight));
    line = Joined(figures, &Figure::brief);
  }
  return line;
}

}  // namespace flashmoe::cli
