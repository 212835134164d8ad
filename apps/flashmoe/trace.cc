// flashmoe trace: records which experts a model chooses, and describes it. What caches would make
// of it: trace_simulate.cc.
#include "apps/flashmoe/trace.h"

#include <fmt/format.h>

#include "apps/flashmoe/command_line.h"
#include "base/units.h"
#include "engine/record_routing.h"
#include "experts/trace.h"
#include "experts/trace_stats.h"

namespace flashmoe::cli {
namespace {

struct RecordFlags {
  EngineFlags engine;
  std::string text, tokens, out;
  uint32_t sequence_tokens = 0;
};

Result<int> Record(const RecordFlags& flags) {
  const CancelFlag& cancel = InstallInterruptHandler();
  if (flags.text.empty() == flags.tokens.empty()) {
    return ReportUsage("trace record",
                       "there is not exactly one text: give --file FILE or --tokens FILE");
  }
  FM_ASSIGN_OR_RETURN(EngineOptions options, MakeEngineOptions(flags.engine));
  options.cancel = &cancel;
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, OpenRunnableModel(flags.engine.model));
  FM_ASSIGN_OR_RETURN(TextModel words, LoadTextModel(*file));
  FM_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens,
                      ReadTokensOrText(flags.tokens, flags.text, words));
  options.context_needed = flags.sequence_tokens > 0 ? int64_t{flags.sequence_tokens}
                                                     : static_cast<int64_t>(tokens.size());
  options.context_least = options.context_needed;

  const ProgressFn progress = TerminalProgress();
  FM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine,
                      Engine::Load(std::move(file), std::move(words), options, progress));
  ClearProgress();
  PrintDeviations(flags.engine, *engine);
  FM_ASSIGN_OR_RETURN(Session session, engine->NewSession());
  FM_ASSIGN_OR_RETURN(const RoutingTrace trace,
                      RecordRouting(*engine, session, tokens, flags.sequence_tokens, progress));
  ClearProgress();
  FM_RETURN_IF_ERROR(WriteTrace(trace, flags.out));
  PrintNote(fmt::format("{}: {} x {} tokens, {} layers, {} of {} experts", flags.out,
                        trace.sequences, trace.tokens, trace.layers, trace.experts_per_token,
                        trace.experts));
  return 0;
}

struct ShowFlags {
  std::string trace;
  bool json = false;
};

void ShowJson(const RoutingTrace& trace, const std::vector<LayerRouting>& layers) {
  auto rows = nlohmann::ordered_json::array();
  for (const LayerRouting& layer : layers) {
    nlohmann::ordered_json row = {{"used", layer.used},
                                  {"busiest_fifth_share", layer.busiest},
                                  {"repeats_share", layer.repeats}};
    for (size_t i = 0; i < kWindows.size(); ++i) {
      row["working_set"][std::to_string(kWindows[i])] = layer.working_set[i];
    }
    rows.push_back(std::move(row));
  }
  nlohmann::ordered_json json = TraceToJson(trace);
  json["layers_routing"] = std::move(rows);
  PrintJson(json);
}

Result<int> Show(const ShowFlags& flags) {
  FM_ASSIGN_OR_RETURN(const RoutingTrace trace, ReadTrace(flags.trace));
  const std::vector<LayerRouting> layers = DescribeRouting(trace);
  if (flags.json) {
    ShowJson(trace, layers);
    return 0;
  }
  Print(fmt::format(
      "{} sequences of {} tokens, {} layers, {} of {} experts a token\n\n"
      "Busiest 20 %: the share of the choices that goes to a fifth of the experts.\n"
      "Repeated: the share of a token's experts that the token before had, too.\n"
      "Distinct: experts that so many tokens in a row use.\n\n"
      "layer  busiest 20 %  repeated   used  distinct in",
      trace.sequences, trace.tokens, trace.layers, trace.experts_per_token, trace.experts));
  for (const uint32_t window : kWindows) Print(fmt::format(" {:>6}", window));
  Print("\n");
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    const LayerRouting& row = layers[layer];
    Print(fmt::format("{:>5}  {:>10.1f} %  {:>6.1f} %  {:>5}             ", layer,
                      100 * row.busiest, 100 * row.repeats, row.used));
    for (const double distinct : row.working_set) Print(fmt::format(" {:>6.1f}", distinct));
    Print("\n");
  }
  return 0;
}

void AddRecord(CLI::App& trace, int& exit_code) {
  auto flags = std::make_shared<RecordFlags>();
  CLI::App* record = trace.add_subcommand("record", "Write down which experts a text uses");
  AddEngineOptions(*record, flags->engine);
  record->add_option("-f,--file", flags->text, "Text to read; - reads standard input")
      ->type_name("FILE");
  record->add_option("--tokens", flags->tokens, "Token ids to read, a JSON array")
      ->type_name("FILE.json");
  record
      ->add_option("--sequence-tokens", flags->sequence_tokens,
                   "Cut the text into pieces of N tokens, each with a context of its own")
      ->type_name("N")
      ->check(Between(1, int64_t{1} << 26));
  record->add_option("--out", flags->out, "Trace to write")->type_name("T.bin")->required();
  record->callback([flags, &exit_code] {
    const Result<int> result = Record(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

void AddShow(CLI::App& trace, int& exit_code) {
  auto flags = std::make_shared<ShowFlags>();
  CLI::App* show =
      trace.add_subcommand("show", "How unequal the experts are, and how much tokens repeat");
  show->add_option("trace", flags->trace, "A recorded trace")->type_name("T.bin")->required();
  show->add_flag("--json", flags->json, "Print one JSON object");
  show->callback([flags, &exit_code] {
    const Result<int> result = Show(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace

nlohmann::ordered_json TraceToJson(const RoutingTrace& trace) {
  return {{"sequences", trace.sequences},
          {"tokens", trace.tokens},
          {"layers", trace.layers},
          {"experts_per_token", trace.experts_per_token},
          {"experts", trace.experts}};
}

void AddTrace(CLI::App& app, int& exit_code) {
  CLI::App* trace = app.add_subcommand(
      "trace", "Record which experts a model uses, and what caches would make of it");
  trace->require_subcommand(1);
  trace->footer(
      "Examples:\n"
      "  flashmoe trace record -m Qwen3.5-35B-A3B-Q4_K_M.gguf -f book.txt --out book.bin\n"
      "  flashmoe trace show book.bin\n"
      "  flashmoe trace simulate book.bin --slots 10%,25%,50% --html book.html");
  AddRecord(*trace, exit_code);
  AddShow(*trace, exit_code);
  AddSimulate(*trace, exit_code);
}

}  // namespace flashmoe::cli
