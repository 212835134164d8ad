#include "apps/flashmoe/bench_report.h"

#include <fmt/format.h>

#include "apps/flashmoe/command_line.h"
#include "base/units.h"

namespace flashmoe::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string Title(const RunSeries& series) {
  return series.decodes() ? fmt::format("decode {}, {}", series.tokens, Name(series.scenario))
                          : PromptName(series);
}

double PerToken(const TimedRun& run, double amount) {
  return amount / static_cast<double>(run.tokens);
}

Json Optional(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json SpeedsToJson(const std::vector<KernelSpeed>& speeds) {
  Json json = Json::object();
  for (const KernelSpeed& speed : speeds) {
    json[std::string(GetInfo(speed.type).name)] = {
        {"one_token_gbps", speed.bytes_per_s * 1e-9},
        {"peak_gmacs", speed.peak_products_per_s() * 1e-9}};
  }
  return json;
}

Json RunToJson(const TimedRun& run) {
  Json parts = Json::object();
  for (const TimePart& part : run.Parts()) parts[part.name] = part.seconds;
  return {{"tokens", run.tokens},
          {"position", run.position},
          {"seconds", run.seconds},
          {"tokens_per_s", run.tokens_per_s()},
          {"hit_rate", run.hit_rate()},
          {"bytes_read", run.store.bytes_read},
          {"bytes_missed", run.bytes_missed()},
          {"prefetched_bytes_used", run.store.bytes_guessed_used},
          {"prefetched_bytes_wasted", run.bytes_wasted()},
          {"read_gbps", run.read_bytes_per_s() * 1e-9},
          {"disk_gbps", run.disk.per_s() * 1e-9},
          {"memory_sampled_gbps", run.memory.per_s() * 1e-9},
          {"parts_s", std::move(parts)},
          {"disk_s", {{"busy", run.disk_busy_s()}, {"idle", run.disk_idle_s()}}}};
}

Json LayersToJson(const TimedRun& total) {
  Json layers = Json::array();
  for (const StepSeconds& layer : total.steps.layers) {
    Json steps = Json::object();
    for (size_t step = 0; step < kStepCount; ++step) {
      if (layer[step] > 0) {
        steps[std::string(Name(static_cast<Step>(step)))] = PerToken(total, layer[step]);
      }
    }
    layers.push_back(std::move(steps));
  }
  return layers;
}

Json SeriesToJson(const BenchReport& report, const RunSeries& series) {
  const TimedRun total = series.Total();
  const Spread speed = series.tokens_per_s();
  const int64_t middle = series.runs.front().position + series.tokens / 2;
  Json runs = Json::array();
  for (size_t i = 0; i < series.runs.size(); ++i) {
    runs.push_back(RunToJson(series.runs[i]));
    runs.back()["roofs_tokens_per_s"] = RoofsToJson(series.run_roofs[i]);
  }
  Json json = {
      {"scenario", Name(series.scenario)},
      {"tokens", series.tokens},
      {"tokens_per_s", speed.median},
      {"tokens_per_s_least", speed.least},
      {"tokens_per_s_most", speed.most},
      {"predicted_tokens_per_s", Optional(series.predicted_tokens_per_s)},
      {"roofs_tokens_per_s", RoofsToJson(series.roofs)},
      {"roof_share", series.roof_share()},
      {"speed_kept_while_reading", Optional(series.speed_kept)},
      {"roof_while_reading_tokens_per_s", Optional(series.roof_while_reading())},
      {"hit_rate", total.hit_rate()},
      {"bytes_read_per_token", PerToken(total, static_cast<double>(total.store.bytes_read))},
      {"read_gbps", total.read_bytes_per_s() * 1e-9}};
  if (series.decodes()) {
    const auto touched = static_cast<double>(report.facts.TouchedBytes(middle));
    json["bytes_touched_per_token"] = touched;
    json["memory_gbps"] = touched * speed.median * 1e-9;
  } else {
    json["bytes_read_of_experts"] = static_cast<double>(total.store.bytes_read) /
                                    (static_cast<double>(series.runs.size()) *
                                     static_cast<double>(report.facts.expert_bytes_total));
  }
  json["layer_s_per_token"] = LayersToJson(total);
  json["runs"] = std::move(runs);
  return json;
}

std::string SpeedLine(const RunSeries& series) {
  const TimedRun total = series.Total();
  const Spread speed = series.tokens_per_s();
  const std::optional<double> roof = series.roofs.lowest();
  return fmt::format(
      "{:<22}{:>9.2f}{:>9.2f}{:>9.2f}{:>9}{:>7}{:>10}{:>8.1f} %{:>10.1f}{:>8.2f}{:>9.0f} %\n",
      Title(series), speed.median, speed.least, speed.most,
      roof ? fmt::format("{:.2f}", *roof) : "-",
      roof ? fmt::format("{:.0f} %", 100 * series.roof_share()) : "-",
      series.predicted_tokens_per_s ? fmt::format("{:.2f}", *series.predicted_tokens_per_s) : "-",
      100 * total.hit_rate(), PerToken(total, static_cast<double>(total.store.bytes_read)) * 1e-6,
      total.read_bytes_per_s() * 1e-9, 100 * total.disk_idle_s() / total.seconds);
}

std::string PartsLine(const RunSeries& series) {
  const TimedRun total = series.Total();
  std::string line =
      fmt::format("{:<22}{:.2f} ms a token =", Title(series), PerToken(total, total.seconds) * 1e3);
  bool first = true;
  for (const TimePart& part : total.Parts()) {
    line += fmt::format("{} {} {:.2f}", first ? "" : " +", part.name,
                        PerToken(total, part.seconds) * 1e3);
    first = false;
  }
  const uint64_t wasted = total.bytes_wasted();
  if (total.store.bytes_guessed > 0) {
    line += fmt::format("; prefetched {} used, {} wasted",
                        FormatBytes(total.store.bytes_guessed_used), FormatBytes(wasted));
  }
  return line + "\n";
}

// What is left of the roofs while the disk reads; nothing if no series read.
std::string KeptText(const BudgetReport& budget) {
  std::string lines;
  for (const RunSeries& series : budget.series) {
    const std::optional<double> roof = series.roof_while_reading();
    if (!roof) continue;
    lines += fmt::format(
        "{:<22}{:.0f} % of its speed: at most {:.2f} tokens/s, of which {:.0f} % were reached\n",
        Title(series), 100 * *series.speed_kept, *roof, 100 * series.tokens_per_s().median / *roof);
  }
  if (lines.empty()) return {};
  return "\nWhile the disk reads at the rate of these runs, computing keeps:\n" + lines;
}

std::string MemoryText(const TimedBytes& sampled) {
  if (sampled.bytes == 0) return {};
  return fmt::format(" and memory {:.1f} GB/s", sampled.per_s() * 1e-9);
}

std::string BudgetText(const BudgetReport& budget) {
  std::string text = fmt::format(
      "\n{}\nExpected hits {:.0f} % (an average of traces); peak memory {}; between the tokens "
      "the disk gave {:.2f} GB/s{}.\n",
      budget.plan.ToString(), 100 * budget.forecast.hit_rate, FormatBytes(budget.peak_bytes),
      budget.disk().per_s() * 1e-9, MemoryText(budget.memory()));
  if (budget.cached_when_cold_bytes > 0) {
    text += fmt::format(
        "Cold runs were not quite cold: {} of the model stayed in the page cache, "
        "which may not be dropped here.\n",
        FormatBytes(budget.cached_when_cold_bytes));
  }
  if (const uint64_t slots = budget.slots_given_back(); slots > 0) {
    text += fmt::format(
        "Other programs needed memory: {} of {} experts' places were given up during the runs.\n",
        slots, budget.plan.memory.slots);
  }
  text += fmt::format("\n{:<22}{:>9}{:>9}{:>9}{:>9}{:>7}{:>10}{:>10}{:>10}{:>8}{:>11}\n", "",
                      "tokens/s", "least", "most", "roof", "of it", "predicted", "hits", "MB/token",
                      "GB/s", "idle disk");
  for (const RunSeries& series : budget.series) text += SpeedLine(series);
  text += KeptText(budget);
  text += "\nWhere the time goes:\n";
  for (const RunSeries& series : budget.series) text += PartsLine(series);
  return text;
}

}  // namespace

Json RoofsToJson(const Roofs& roofs) {
  return {{"disk", Optional(roofs.disk)},
          {"memory", Optional(roofs.memory)},
          {"matrix", Optional(roofs.matrix)}};
}

Json MachineToJson(const MachineSpeed& machine) {
  return {{"threads", machine.threads},
          {"disk_gbps", machine.disk.bytes_per_s * 1e-9},
          {"disk_reader", machine.disk.reader},
          {"disk_compute_s_per_gb", machine.disk.compute_s_per_byte * 1e9},
          {"memory_gbps", machine.memory_bytes_per_s * 1e-9},
          {"dense", SpeedsToJson(machine.dense)},
          {"experts", SpeedsToJson(machine.experts)},
          {"head", SpeedsToJson(machine.head)}};
}

Json ReportJson(const BenchReport& report) {
  Json budgets = Json::array();
  for (const BudgetReport& budget : report.budgets) {
    Json series = Json::array();
    for (const RunSeries& one : budget.series) series.push_back(SeriesToJson(report, one));
    budgets.push_back({{"budget_bytes", budget.budget_bytes},
                       {"peak_bytes", budget.peak_bytes},
                       {"slots_given_back", budget.slots_given_back()},
                       {"disk_gbps", budget.disk().per_s() * 1e-9},
                       {"memory_sampled_gbps", budget.memory().per_s() * 1e-9},
                       {"cold_bytes_left_in_page_cache", budget.cached_when_cold_bytes},
                       {"predicted_hit_rate", budget.forecast.hit_rate},
                       {"plan", PlanToJson(budget.plan)},
                       {"series", std::move(series)}});
  }
  return {{"model", report.model},
          {"name", report.facts.config.name},
          {"machine", MachineToJson(report.machine)},
          {"interrupted", report.interrupted},
          {"budgets", std::move(budgets)}};
}

std::string ReportText(const BenchReport& report) {
  const MachineSpeed& m = report.machine;
  std::string text =
      fmt::format("{}\n{} threads read memory at {:.1f} GB/s; the disk gives {:.2f} GB/s ({}).\n",
                  Printable(report.model), m.threads, m.memory_bytes_per_s * 1e-9,
                  m.disk.bytes_per_s * 1e-9, m.disk.reader);
  for (const BudgetReport& budget : report.budgets) text += BudgetText(budget);
  return text;
}

std::string ReportCsv(const BenchReport& report) {
  std::string csv =
      "budget_bytes,scenario,repetition,tokens,position,seconds,tokens_per_s,roof_tokens_per_s,"
      "predicted_tokens_per_s,hit_rate,bytes_read,bytes_missed,prefetched_bytes_used,"
      "prefetched_bytes_wasted,read_gbps,probed_gbps,waiting_s,disk_idle_s,"
      "roof_while_reading_tokens_per_s,at_s,resident_bytes\n";
  std::optional<double> begin_s;  // when the first run began
  for (const BudgetReport& budget : report.budgets) {
    for (const RunSeries& series : budget.series) {
      const std::optional<double> roof = series.roof_while_reading();
      for (size_t i = 0; i < series.runs.size(); ++i) {
        const TimedRun& run = series.runs[i];
        if (!begin_s) begin_s = run.ended_s - run.seconds;
        csv += fmt::format(
            "{},{},{},{},{},{:.6f},{:.4f},{:.4f},{:.4f},{:.5f},{},{},{},{},{:.4f},"
            "{:.4f},{:.6f},{:.6f},{},{:.1f},{}\n",
            budget.budget_bytes, Name(series.scenario), i + 1, run.tokens, run.position,
            run.seconds, run.tokens_per_s(), series.run_roofs[i].lowest().value_or(0),
            series.predicted_tokens_per_s.value_or(0), run.hit_rate(), run.store.bytes_read,
            run.bytes_missed(), run.store.bytes_guessed_used, run.bytes_wasted(),
            run.read_bytes_per_s() * 1e-9, run.disk.per_s() * 1e-9, run.store.wait_s,
            run.disk_idle_s(), roof ? fmt::format("{:.4f}", *roof) : "", run.ended_s - *begin_s,
            run.resident_bytes);
      }
    }
  }
  return csv;
}

}  // namespace flashmoe::cli
