// flashmoe trace simulate: replays a trace through every cache policy and several sizes of cache.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "apps/flashmoe/svg_plot.h"
#include "apps/flashmoe/trace.h"
#include "base/units.h"
#include "experts/simulate.h"
#include "format/output_file.h"

namespace flashmoe::cli {
namespace {

struct SimulateFlags {
  std::string trace, svg, html, expert_bytes;
  std::vector<std::string> slots, policies;
  uint32_t prompt_tokens = 0, chunk_tokens = 512, misses_at_once = 0;
  bool json = false, csv = false;
};

struct Row {
  std::string policy;
  uint32_t slots = 0;
  ReplayResult result;
};

struct Simulation {
  RoutingTrace trace;
  uint64_t expert_bytes = 0;  // 0: not told
  std::vector<Row> rows;

  double Share(uint32_t slots) const {  // of all experts, in per cent
    return 100.0 * slots / (static_cast<double>(trace.layers) * trace.experts);
  }
};

// "25%" of `all`, or a number of slots.
Result<uint32_t> ParseSlots(const std::string& text, uint64_t all) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view rest(end, text.data() + text.size());
  if (error != std::errc() || !(rest.empty() || rest == "%") || !(value > 0)) {
    return InvalidInput(fmt::format("'{}' is no number of slots", text), "--slots",
                        "give numbers, or shares of all experts such as 25%");
  }
  const double slots = rest.empty() ? value : value / 100 * static_cast<double>(all);
  return static_cast<uint32_t>(std::llround(std::min(slots, static_cast<double>(all))));
}

// Those asked for; else the usual ones that are enough for a token.
Result<std::vector<uint32_t>> ChooseSlots(const SimulateFlags& flags, const RoutingTrace& trace) {
  const uint64_t all = uint64_t{trace.layers} * trace.experts;
  std::vector<uint32_t> chosen;
  for (const std::string& text : flags.slots) {
    FM_ASSIGN_OR_RETURN(const uint32_t slots, ParseSlots(text, all));
    chosen.push_back(slots);
  }
  if (chosen.empty()) {
    for (const char* usual : {"5%", "10%", "25%", "50%", "75%"}) {
      FM_ASSIGN_OR_RETURN(const uint32_t slots, ParseSlots(usual, all));
      if (slots >= ReplaySlotsMin(trace)) chosen.push_back(slots);
    }
    if (chosen.empty()) chosen.push_back(static_cast<uint32_t>(ReplaySlotsMin(trace)));
  }
  std::ranges::sort(chosen);
  chosen.erase(std::ranges::unique(chosen).begin(), chosen.end());
  return chosen;
}

Result<Simulation> Simulate(const SimulateFlags& flags, const CancelFlag& cancel) {
  Simulation simulation;
  if (!flags.expert_bytes.empty()) {
    FM_ASSIGN_OR_RETURN(simulation.expert_bytes, ParseBytes(flags.expert_bytes));
  }
  FM_ASSIGN_OR_RETURN(simulation.trace, ReadTrace(flags.trace));
  FM_ASSIGN_OR_RETURN(const std::vector<uint32_t> sizes, ChooseSlots(flags, simulation.trace));
  ReplayOptions options;
  options.prompt_tokens = flags.prompt_tokens;
  options.chunk_tokens = flags.chunk_tokens;
  options.misses_at_once = flags.misses_at_once;
  options.cancel = &cancel;
  const ProgressFn progress = TerminalProgress();
  const uint64_t total = flags.policies.size() * sizes.size();
  for (const std::string& policy : flags.policies) {
    for (const uint32_t slots : sizes) {
      options.slots = slots;
      FM_ASSIGN_OR_RETURN(const ReplayResult result, Replay(simulation.trace, policy, options));
      simulation.rows.push_back({policy, slots, result});
      if (progress) progress({"simulating", simulation.rows.size(), total});
    }
  }
  ClearProgress();
  return simulation;
}

void AddCount(nlohmann::ordered_json& json, const char* name, const ReplayCount& count,
              uint64_t expert_bytes) {
  if (count.tokens == 0) return;
  json[name] = {{"tokens", count.tokens},
                {"requests", count.requests},
                {"hits", count.hits},
                {"hit_rate", count.hit_rate()},
                {"reads_per_token", count.reads_per_token()}};
  if (expert_bytes > 0) json[name]["bytes_read"] = (count.requests - count.hits) * expert_bytes;
}

nlohmann::ordered_json ToJson(const Simulation& simulation) {
  nlohmann::ordered_json json = TraceToJson(simulation.trace);
  auto rows = nlohmann::ordered_json::array();
  for (const Row& row : simulation.rows) {
    nlohmann::ordered_json entry = {{"policy", row.policy},
                                    {"slots", row.slots},
                                    {"resident_share", simulation.Share(row.slots) / 100}};
    AddCount(entry, "prompt", row.result.prompt, simulation.expert_bytes);
    AddCount(entry, "decode", row.result.decode, simulation.expert_bytes);
    rows.push_back(std::move(entry));
  }
  json["simulations"] = std::move(rows);
  return json;
}

std::string ToCsv(const Simulation& simulation) {
  std::string csv =
      "policy,slots,resident_share,prompt_hit_rate,prompt_reads_per_token,decode_hit_rate,"
      "decode_reads_per_token\n";
  for (const Row& row : simulation.rows) {
    const auto& [prompt, decode] = row.result;
    csv += fmt::format("{},{},{:.4f},{:.4f},{:.3f},{:.4f},{:.3f}\n", row.policy, row.slots,
                       simulation.Share(row.slots) / 100, prompt.hit_rate(),
                       prompt.reads_per_token(), decode.hit_rate(), decode.reads_per_token());
  }
  return csv;
}

std::string Cell(const ReplayCount& count, uint64_t expert_bytes) {
  const double reads = count.reads_per_token();
  const std::string read =
      expert_bytes == 0
          ? fmt::format("{:.1f} experts", reads)
          : FormatBytes(static_cast<uint64_t>(reads * static_cast<double>(expert_bytes)));
  return fmt::format("{:.1f} % hits, {} a token", 100 * count.hit_rate(), read);
}

std::string ToText(const Simulation& simulation) {
  const RoutingTrace& trace = simulation.trace;
  std::string text = fmt::format(
      "{} sequences of {} tokens, {} layers, {} of {} experts a token; one cache for all "
      "sequences\n",
      trace.sequences, trace.tokens, trace.layers, trace.experts_per_token, trace.experts);
  for (const Row& row : simulation.rows) {
    text += fmt::format("{:<8} {:>6} slots ({:>5.1f} %)", row.policy, row.slots,
                        simulation.Share(row.slots));
    const auto& [prompt, decode] = row.result;
    const uint64_t bytes = simulation.expert_bytes;
    if (prompt.tokens > 0) text += "   prompt: " + Cell(prompt, bytes);
    if (decode.tokens > 0) text += "   decode: " + Cell(decode, bytes);
    text += "\n";
  }
  return text;
}

// Decode, or the prompt where there is nothing else.
std::string ToSvg(const Simulation& simulation, const std::string& name) {
  const bool decode = simulation.rows.front().result.decode.tokens > 0;
  Plot plot{.title = name,
            .x_label = "share of the experts in memory, %",
            .y_label = decode ? "hits while decoding, %" : "hits while reading the prompt, %",
            .lines = {}};
  for (const Row& row : simulation.rows) {
    if (plot.lines.empty() || plot.lines.back().name != row.policy) {
      plot.lines.push_back({.name = row.policy, .points = {}, .dashed = row.policy == kBelady});
    }
    const ReplayCount& count = decode ? row.result.decode : row.result.prompt;
    plot.lines.back().points.emplace_back(simulation.Share(row.slots), 100 * count.hit_rate());
  }
  return PlotToSvg(plot);
}

std::string ToHtml(const Simulation& simulation, const std::string& name) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title></head>\n"
      "<body style=\"font-family:sans-serif;max-width:60em;margin:2em auto\">\n<h1>{0}</h1>\n"
      "{1}<pre>{2}</pre>\n<p>belady knows the future: no policy without guesses can hit more.</p>\n"
      "</body></html>\n",
      EscapeMarkup(name), ToSvg(simulation, "Cache policies"), EscapeMarkup(ToText(simulation)));
}

Status WriteText(const std::string& path, const std::string& text) {
  FM_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  FM_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(text.data(), text.size()))));
  return file.Finish();
}

Result<int> RunSimulate(SimulateFlags flags) {
  const CancelFlag& cancel = InstallInterruptHandler();
  if (flags.policies.empty()) {
    flags.policies = CachePolicyNames();
    flags.policies.emplace_back(kBelady);
  }
  FM_ASSIGN_OR_RETURN(const Simulation simulation, Simulate(flags, cancel));
  const std::string name = "Cache policies on " + flags.trace;
  if (!flags.svg.empty()) FM_RETURN_IF_ERROR(WriteText(flags.svg, ToSvg(simulation, name)));
  if (!flags.html.empty()) FM_RETURN_IF_ERROR(WriteText(flags.html, ToHtml(simulation, name)));
  if (flags.json) {
    PrintJson(ToJson(simulation));
  } else {
    Print(flags.csv ? ToCsv(simulation) : ToText(simulation));
  }
  return 0;
}

}  // namespace

void AddSimulate(CLI::App& trace, int& exit_code) {
  auto flags = std::make_shared<SimulateFlags>();
  CLI::App* simulate = trace.add_subcommand(
      "simulate",
      "Replay a trace through every cache policy, and through one that knows the future");
  simulate->add_option("trace", flags->trace, "A recorded trace")->type_name("T.bin")->required();
  simulate
      ->add_option("--slots", flags->slots,
                   "Sizes of the cache: numbers of experts, or shares of all; default: "
                   "5%,10%,25%,50%,75%")
      ->type_name("N,N%,...")
      ->delimiter(',');
  std::vector<std::string> names = CachePolicyNames();
  names.emplace_back(kBelady);
  simulate->add_option("--policies", flags->policies, "Which; default: all")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  simulate
      ->add_option("--prompt-tokens", flags->prompt_tokens,
                   "So many tokens of each sequence come in chunks, as a prompt does")
      ->type_name("N")
      ->check(Between(0, int64_t{1} << 31));
  simulate->add_option("--chunk-tokens", flags->chunk_tokens, "Tokens of a chunk")
      ->type_name("N")
      ->check(Between(1, int64_t{1} << 31))
      ->capture_default_str();
  simulate
      ->add_option("--misses-at-once", flags->misses_at_once,
                   "Most experts that a chunk has on their way at a time; default: any number")
      ->type_name("N")
      ->check(Between(1, int64_t{1} << 31));
  simulate->add_option("--expert-size", flags->expert_bytes, "To tell bytes, e.g. 1.7MB")
      ->type_name("SIZE");
  simulate->add_flag("--json", flags->json, "Print one JSON object");
  simulate->add_flag("--csv", flags->csv, "Print a table for other programs");
  simulate->add_option("--svg", flags->svg, "Also write a plot")->type_name("F.svg");
  simulate->add_option("--html", flags->html, "Also write a page with plot and table")
      ->type_name("F.html");
  simulate->callback([flags, &exit_code] {
    const Result<int> result = RunSimulate(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
