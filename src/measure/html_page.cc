#include "measure/html_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/units.h"
#include "measure/svg_chart.h"

namespace flashmoe {
namespace {

// One colour for each part of the time, the same in all charts; c0 to c3 serve as those of lines.
constexpr std::string_view kParts[] = {"waiting for reads", "experts", "delta net", "shared expert",
                                       "attention",         "head",    "router",    "norms",
                                       "lookahead",         "cache",   "combine",   "embedding",
                                       "between passes"};

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --text: #1d2329; --soft: #66707a; --grid: #dde2e7; --page: #fff;
  --c0: #d1495b; --c1: #2e74b5; --c2: #3c9d6f; --c3: #8db8e2; --c4: #2a9d9d; --c5: #e0a526;
  --c6: #8a63b8; --c7: #9aa5b1; --c8: #c77dba; --c9: #b5894f; --c10: #6b7785; --c11: #b9c46a;
  --c12: #cfd5db; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e8ec; --soft: #9aa5b0; --grid: #333b43; --page: #171b1f;
    --c0: #ef7182; --c1: #5b9fe0; --c2: #5fc496; --c3: #37648f; --c4: #4fc4c4; --c5: #f0c04f;
    --c6: #b08ee0; --c7: #6f7a86; --c8: #dd9bd1; --c9: #d0a76c; --c10: #8793a1; --c11: #cdd77f;
    --c12: #4a535c; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 960px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; margin-bottom: 0; } h2 { font-size: 1.1em; margin-top: 2em; }
p.soft, figcaption { color: var(--soft); } figure { margin: 1em 0; } svg { width: 100%; }
svg text { font: 12px system-ui, sans-serif; fill: var(--text); }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); }
.line { fill: none; stroke-width: 2; } .dashed { stroke-dasharray: 6 4; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: 3px 8px; text-align: right; border-bottom: 1px solid var(--grid);
  white-space: nowrap; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
th { font-weight: 600; color: var(--soft); }
.entry { white-space: nowrap; }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; border-radius: 2px; }
)";

std::string Colors() {
  std::string css;
  for (size_t i = 0; i < std::size(kParts); ++i) {
    css += fmt::format(
        ".c{0} {{ fill: var(--c{0}); background: var(--c{0}); }} "
        ".l{0} {{ stroke: var(--c{0}); }}\n",
        i);
  }
  return css;
}

int ColorOf(std::string_view part) {
  const auto found = std::ranges::find(kParts, part);
  return static_cast<int>(found - std::begin(kParts)) % static_cast<int>(std::size(kParts));
}

std::string Key(int color, std::string_view name) {
  return fmt::format("<span class=\"entry\"><span class=\"key c{}\"></span>{}</span> ", color,
                     EscapeHtml(name));
}

std::string Figure(std::string_view title, std::string_view chart, std::string_view caption) {
  return fmt::format("<h2>{}</h2>\n<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n",
                     EscapeHtml(title), chart, caption);
}

std::string Title(const RunSeries& series) {
  if (!series.decodes()) return PromptName(series);
  return fmt::format("decode, {}", Name(series.scenario));
}

double Gib(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

std::string Row(const BudgetReport& budget, const RunSeries& series) {
  const TimedRun total = series.Total();
  const Spread speed = series.tokens_per_s();
  const std::optional<double> roof = series.roofs.lowest();
  const std::optional<double> while_reading = series.roof_while_reading();
  const auto per_token = [&](uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(total.tokens) * 1e-6;
  };
  return fmt::format(
      "<tr><td>{:.3g} GiB</td><td>{}</td><td>{:.2f}</td><td>{:.2f} to {:.2f}</td><td>{}</td>"
      "<td>{}</td><td>{}</td><td>{}</td><td>{:.1f} %</td><td>{:.1f}</td>"
      "<td>{:.1f}, {:.1f}</td><td>{:.2f}</td><td>{:.0f} %</td></tr>\n",
      Gib(budget.budget_bytes), Title(series), speed.median, speed.least, speed.most,
      roof ? fmt::format("{:.2f}", *roof) : "",
      roof ? fmt::format("{:.0f} %", 100 * series.roof_share()) : "",
      while_reading
          ? fmt::format("{:.2f} ({:.0f} %)", *while_reading, 100 * speed.median / *while_reading)
          : "",
      series.predicted_tokens_per_s ? fmt::format("{:.2f}", *series.predicted_tokens_per_s) : "",
      100 * total.hit_rate(), per_token(total.store.bytes_read),
      per_token(total.store.bytes_guessed_used), per_token(total.bytes_wasted()),
      total.read_bytes_per_s() * 1e-9, 100 * total.disk_idle_s() / total.seconds);
}

std::string Table(const BenchReport& report) {
  std::string html =
      "<div class=\"wide\"><table>\n<tr><th>budget</th><th>run</th><th>tokens/s</th>"
      "<th>range</th><th>roof</th><th>of it</th>"
      "<th>roof while reading (of it)</th><th>predicted</th><th>hits</th><th>MB/token</th>"
      "<th>guessed MB: useful, wasted</th><th>GB/s</th><th>disk idle</th></tr>\n";
  for (const BudgetReport& budget : report.budgets) {
    for (const RunSeries& series : budget.series) html += Row(budget, series);
  }
  return html + "</table></div>\n";
}

// What each budget was spent on, and what was held.
std::string Notes(const BenchReport& report) {
  std::string html = "<ul>\n";
  for (const BudgetReport& budget : report.budgets) {
    std::string note =
        fmt::format("{:.3g} GiB: {}", Gib(budget.budget_bytes), budget.plan.ToString());
    if (budget.peak_bytes > 0) {
      note += fmt::format(" Held at most {:.3g} GiB.", Gib(budget.peak_bytes));
    }
    if (const TimedBytes disk = budget.disk(); disk.bytes > 0) {
      note +=
          fmt::format(" Between the runs' tokens the disk gave {:.2f} GB/s.", disk.per_s() * 1e-9);
    }
    if (const TimedBytes memory = budget.memory(); memory.bytes > 0) {
      note += fmt::format(" Memory gave {:.1f} GB/s there.", memory.per_s() * 1e-9);
    }
    if (budget.slots_given_back() > 0) {
      note += fmt::format(" Other programs needed memory: {} experts' places were given up.",
                          budget.slots_given_back());
    }
    if (budget.cached_when_cold_bytes > 0) {
      note += fmt::format(
          " Cold runs were not quite cold: {:.3g} GiB of the model stayed in the page cache.",
          Gib(budget.cached_when_cold_bytes));
    }
    html += fmt::format("<li>{}</li>\n", EscapeHtml(note));
  }
  return html + "</ul>\n";
}

// All runs' milliseconds a token, and the key to the colours.
std::string WhereTheTimeGoes(const BenchReport& report) {
  std::vector<Bar> bars;
  std::string key;
  std::map<int, std::string> used;
  for (const BudgetReport& budget : report.budgets) {
    for (const RunSeries& series : budget.series) {
      const TimedRun total = series.Total();
      Bar& bar = bars.emplace_back();
      bar.label = fmt::format("{:.3g} GiB, {}", Gib(budget.budget_bytes),
                              series.decodes() ? Name(series.scenario) : Title(series));
      for (const TimePart& part : total.Parts()) {
        const int color = ColorOf(part.name);
        used[color] = part.name;
        bar.parts.push_back(
            {color, part.seconds / static_cast<double>(total.tokens) * 1e3, part.name});
      }
    }
  }
  for (const auto& [color, name] : used) key += Key(color, name);
  return Figure("Where the time goes", StackedRows("milliseconds a token", bars), key);
}

std::string TimePerLayer(const BudgetReport& budget, const RunSeries& series) {
  const TimedRun total = series.Total();
  const double scale = 1e3 / static_cast<double>(total.tokens);
  std::vector<Bar> bars;
  for (size_t layer = 0; layer < total.steps.layers.size(); ++layer) {
    Bar& bar = bars.emplace_back();
    bar.label = layer + 1 < total.steps.layers.size() ? std::to_string(layer) : "all";
    for (size_t step = 0; step < kStepCount; ++step) {
      const double seconds = total.steps.layers[layer][step];
      const std::string_view name = Name(static_cast<Step>(step));
      if (seconds > 0) {
        const bool cache = static_cast<Step>(step) == Step::kRequest;
        bar.parts.push_back({ColorOf(cache ? "cache" : name), seconds * scale, std::string(name)});
      }
    }
  }
  return Figure(
      fmt::format("Time per layer: {} with {:.3g} GiB", Title(series), Gib(budget.budget_bytes)),
      StackedColumns("layer; all: what belongs to none, such as the head", "milliseconds a token",
                     bars),
      "Colours as above.");
}

// A line over the budgets for each kind of decoding that was measured.
using ValueOf = ChartPoint (*)(const RunSeries&);
std::vector<ChartLine> LinesOverBudgets(const BenchReport& report, ValueOf value) {
  std::map<Scenario, ChartLine> lines;
  for (const BudgetReport& budget : report.budgets) {
    for (const RunSeries& series : budget.series) {
      if (!series.decodes()) continue;
      ChartLine& line = lines[series.scenario];
      line.name = Title(series);
      line.color = static_cast<int>(series.scenario);
      ChartPoint point = value(series);
      point.x = Gib(budget.budget_bytes);
      line.points.push_back(point);
    }
  }
  std::vector<ChartLine> all;
  for (auto& [scenario, line] : lines) {
    std::ranges::sort(line.points, {}, &ChartPoint::x);
    all.push_back(std::move(line));
  }
  return all;
}

std::string OverBudgets(const BenchReport& report) {
  auto hits = LinesOverBudgets(report, [](const RunSeries& s) {
    return ChartPoint{0, 100 * s.Total().hit_rate()};
  });
  if (hits.empty()) return "";
  std::string key;
  for (const ChartLine& line : hits) key += Key(line.color, line.name);
  std::string html =
      Figure("Experts found in memory", LineChart("budget, GiB", "hits, %", hits), key);

  auto speeds = LinesOverBudgets(report, [](const RunSeries& s) {
    const Spread speed = s.tokens_per_s();
    return ChartPoint{0, speed.median, speed.least, speed.most};
  });
  auto roofs = LinesOverBudgets(report, [](const RunSeries& s) {
    return ChartPoint{0, s.roofs.lowest().value_or(0)};
  });
  for (ChartLine& roof : roofs) {
    roof.dashed = true;
    roof.name += ", roof";
  }
  speeds.insert(speeds.end(), roofs.begin(), roofs.end());
  html += Figure("Speed of decoding", LineChart("budget, GiB", "tokens/s", speeds),
                 key +
                     "; dashed: the roof, what the disk or the memory would allow for the bytes "
                     "that these runs missed and touched");
  return html;
}

std::string Introduction(const BenchReport& report) {
  const MachineSpeed& m = report.machine;
  const EnginePlan& plan = report.budgets.front().plan;
  return fmt::format(
      "<h1>{}</h1>\n<p class=\"soft\">{}, {} layers of {} experts, {} a token; {} in all, {} "
      "of them experts.<br>\n{} threads with {}; memory read at {:.1f} GB/s; disk at {:.2f} GB/s "
      "({}).</p>\n",
      EscapeHtml(report.facts.config.name.empty() ? report.model : report.facts.config.name),
      EscapeHtml(report.facts.config.architecture), report.facts.config.layers,
      report.facts.config.experts, report.facts.experts_per_token,
      FormatBytes(report.facts.file_bytes), FormatBytes(report.facts.expert_bytes_total),
      plan.threads, plan.kernels, m.memory_bytes_per_s * 1e-9, m.disk.bytes_per_s * 1e-9,
      m.disk.reader);
}

}  // namespace

std::string HtmlPage(const BenchReport& report) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>flashmoe bench: {}</title>\n"
      "<style>{}{}</style>\n",
      EscapeHtml(report.model), kStyle, Colors());
  html += Introduction(report) + Table(report) + Notes(report) + WhereTheTimeGoes(report) +
          OverBudgets(report);
  // The last decoding of the last budget stands for all.
  const BudgetReport& budget = report.budgets.back();
  const auto series = std::find_if(budget.series.rbegin(), budget.series.rend(),
                                   [](const RunSeries& s) { return s.decodes(); });
  html += TimePerLayer(budget, series == budget.series.rend() ? budget.series.back() : *series);
  return html + "</html>\n";
}

}  // namespace flashmoe
