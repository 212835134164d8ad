// flashmoe bench: how fast a model runs, and where the time goes. Products alone: bench_kernels.cc.
#include <fmt/format.h>

#include <fstream>

#include "apps/flashmoe/bench_kernels.h"
#include "apps/flashmoe/bench_report.h"
#include "apps/flashmoe/command_line.h"
#include "base/units.h"
#include "measure/benchmark.h"
#include "measure/html_page.h"
#include "synth/sample_text.h"

namespace flashmoe::cli {
namespace {

struct BenchFlags {
  EngineFlags engine;
  std::vector<std::string> budgets;
  std::vector<std::string> scenarios = {"cold", "warm", "varied", "first-prefill", "prefill"};
  std::vector<int64_t> prompt_tokens = {512};
  int64_t tokens = 64, at = 0;
  int repetitions = 3;
  std::string text, ids, html, csv;
  bool json = false;
};

// As many tokens as the runs read: of the given text as it is, or of the sample text.
Result<FixedText> LoadText(const BenchFlags& flags, const TextModel& words, int64_t needed) {
  if (!flags.ids.empty() || !flags.text.empty()) {
    FM_ASSIGN_OR_RETURN(std::vector<int32_t> ids, ReadTokensOrText(flags.ids, flags.text, words));
    if (static_cast<int64_t>(ids.size()) >= needed) return FixedText(std::move(ids));
    return InvalidInput(
        fmt::format("the text has {} tokens and the runs read {}", ids.size(), needed),
        flags.ids.empty() ? flags.text : flags.ids,
        "give a longer one, or fewer --tokens or --repetitions");
  }
  std::vector<int32_t> ids;
  for (size_t bytes = 1 << 14; static_cast<int64_t>(ids.size()) < needed; bytes *= 2) {
    ids = words.Encode(SampleText(bytes));
  }
  return FixedText(std::move(ids));
}

Result<BenchOptions> MakeOptions(const BenchFlags& flags) {
  BenchOptions options;
  FM_ASSIGN_OR_RETURN(options.engine, MakeEngineOptions(flags.engine));
  for (const std::string& budget : flags.budgets) {
    FM_ASSIGN_OR_RETURN(const uint64_t bytes, ParseBytes(budget));
    options.budgets.push_back(bytes);
  }
  if (options.budgets.empty()) options.budgets.push_back(0);
  options.scenarios.clear();
  for (const std::string& name : flags.scenarios) {
    FM_ASSIGN_OR_RETURN(const Scenario scenario, ScenarioFromName(name));
    options.scenarios.push_back(scenario);
  }
  options.prompt_tokens = flags.prompt_tokens;
  options.decode_tokens = flags.tokens;
  options.decode_position = flags.at;
  options.repetitions = flags.repetitions;
  return options;
}

Status WriteText(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (out) return {};
  return Fail(ErrorCode::kIo, "the report could not be written", path, "check the path");
}

Result<int> Bench(const BenchFlags& flags) {
  const CancelFlag& cancel = InstallInterruptHandler();
  FM_ASSIGN_OR_RETURN(BenchOptions options, MakeOptions(flags));
  options.engine.cancel = &cancel;
  std::optional<FixedText> text;
  std::string path;
  {
    FM_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFile> file,
                        OpenRunnableModel(flags.engine.model));
    path = file->path();
    FM_ASSIGN_OR_RETURN(const TextModel words, LoadTextModel(*file));
    FM_ASSIGN_OR_RETURN(text, LoadText(flags, words, TokensNeeded(options)));
  }
  FM_ASSIGN_OR_RETURN(const BenchReport report,
                      RunBenchmark(path, *text, options, TerminalProgress()));
  ClearProgress();
  if (!flags.html.empty()) FM_RETURN_IF_ERROR(WriteText(flags.html, HtmlPage(report)));
  if (!flags.csv.empty()) FM_RETURN_IF_ERROR(WriteText(flags.csv, ReportCsv(report)));
  if (flags.json) {
    PrintJson(ReportJson(report));
  } else {
    Print(ReportText(report));
  }
  if (!report.interrupted) return 0;
  PrintNote("flashmoe: interrupted; these are the runs that had ended");
  return kInterrupted;
}

void AddRunOptions(CLI::App& bench, BenchFlags& flags) {
  bench.add_option("--tokens", flags.tokens, "Tokens to decode in each run")
      ->type_name("N")
      ->check(Between(1, 1 << 20))
      ->capture_default_str();
  bench.add_option("--at", flags.at, "Position where decoding begins, behind a prompt")
      ->type_name("N")
      ->check(Between(0, 1 << 20))
      ->capture_default_str();
  bench.add_option("--prompt-tokens", flags.prompt_tokens, "Lengths of prompts to read")
      ->type_name("N,M")
      ->delimiter(',')
      ->check(Between(1, 1 << 20))
      ->capture_default_str();
  bench.add_option("--repetitions", flags.repetitions, "Runs of each kind; medians are shown")
      ->type_name("R")
      ->check(Between(1, 1000))
      ->capture_default_str();
  bench
      .add_option("--scenarios", flags.scenarios,
                  "Which of cold (nothing in memory), warm (the same text again), varied (another "
                  "text), first-prefill (a prompt, nothing in memory), prefill (a prompt that was "
                  "read before); default: all")
      ->type_name("LIST")
      ->delimiter(',')
      ->check(CLI::IsMember({"cold", "warm", "varied", "first-prefill", "prefill"}));
  bench
      .add_option("--decode-text", flags.text,
                  "The text whose tokens are decoded; default: a few pages of English")
      ->type_name("FILE");
  bench.add_option("--decode-ids", flags.ids, "The same as token ids, a JSON array")
      ->type_name("FILE.json")
      ->excludes("--decode-text");
}

}  // namespace

void AddBench(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* bench = app.add_subcommand(
      "bench", "Measure speed over a fixed text, beside its roofs, and where the time goes");
  AddEngineOptions(*bench, flags->engine);
  bench->remove_option(bench->get_option("--memory"));
  bench
      ->add_option("--memory", flags->budgets,
                   "Budgets for everything the process holds, e.g. 4GiB,6GiB,8GiB; default: what "
                   "the machine and its cgroup can spare")
      ->type_name("SIZES")
      ->delimiter(',')
      ->check(CheckSize);
  AddRunOptions(*bench, *flags);
  bench->add_flag("--json", flags->json, "Print one JSON object");
  bench->add_option("--html", flags->html, "Also write a page with plots")->type_name("FILE");
  bench->add_option("--csv", flags->csv, "Also write a row for each run")->type_name("FILE");
  AddBenchKernels(*bench, exit_code);
  bench->footer(
      "Examples:\n"
      "  flashmoe bench -m Qwen3.5-35B-A3B-Q4_K_M.gguf --memory 4GiB,8GiB --html report.html\n"
      "  flashmoe bench kernels --types q4_k,q8_0");
  bench->callback([flags, bench, &exit_code] {
    if (!bench->get_subcommands().empty()) return;  // which has done its work
    const Result<int> result = Bench(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
