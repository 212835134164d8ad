// flashmoe eval: how well the model predicts a text.
#include <fmt/format.h>

#include "apps/flashmoe/command_line.h"
#include "engine/evaluate.h"

namespace flashmoe::cli {
namespace {

struct EvalFlags {
  EngineFlags engine;
  std::string text, tokens;
  int top = 0;
  bool json = false;
};

nlohmann::ordered_json ToJson(const Evaluation& evaluation) {
  auto positions = nlohmann::ordered_json::array();
  for (const EvaluatedPosition& position : evaluation.positions) {
    nlohmann::ordered_json entry = {{"token", position.token}};
    entry["logprob"] = position.has_next ? nlohmann::ordered_json(position.next_logprob) : nullptr;
    auto top = nlohmann::ordered_json::array();
    for (const auto& [id, logprob] : position.top) top.push_back({id, logprob});
    entry["top"] = std::move(top);
    positions.push_back(std::move(entry));
  }
  return {{"nll", evaluation.nll},
          {"perplexity", evaluation.perplexity},
          {"positions", std::move(positions)}};
}

Result<int> Eval(const EvalFlags& flags) {
  const CancelFlag& cancel = InstallInterruptHandler();
  if (flags.text.empty() == flags.tokens.empty()) {
    return ReportUsage("eval", "there is not exactly one text: give --text FILE or --tokens FILE");
  }
  FM_ASSIGN_OR_RETURN(EngineOptions options, MakeEngineOptions(flags.engine));
  options.cancel = &cancel;
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, OpenRunnableModel(flags.engine.model));
  FM_ASSIGN_OR_RETURN(TextModel words, LoadTextModel(*file));
  FM_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens,
                      ReadTokensOrText(flags.tokens, flags.text, words));
  options.context_needed = static_cast<int64_t>(tokens.size());
  options.context_least = options.context_needed;

  const ProgressFn progress = TerminalProgress();
  FM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine,
                      Engine::Load(std::move(file), std::move(words), options, progress));
  ClearProgress();
  PrintDeviations(flags.engine, *engine);
  FM_ASSIGN_OR_RETURN(Session session, engine->NewSession());
  FM_ASSIGN_OR_RETURN(const Evaluation evaluation,
                      Evaluate(*engine, session, tokens, flags.top, progress));
  ClearProgress();
  if (flags.json) {
    PrintJson(ToJson(evaluation));
    return 0;
  }
  if (flags.top > 0) {
    for (const EvaluatedPosition& position : evaluation.positions) {
      Print(fmt::format("{:>8}", position.token));
      for (const auto& [id, logprob] : position.top) Print(fmt::format("  {}:{:.4f}", id, logprob));
      Print("\n");
    }
  }
  Print(fmt::format("{} tokens, negative log-likelihood {:.4f}, perplexity {:.4f}\n", tokens.size(),
                    evaluation.nll, evaluation.perplexity));
  return 0;
}

}  // namespace

void AddEval(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<EvalFlags>();
  CLI::App* eval =
      app.add_subcommand("eval", "Log-probability of each token of a text, and its perplexity");
  AddEngineOptions(*eval, flags->engine);
  eval->add_option("--text", flags->text, "Text to predict; - reads standard input")
      ->type_name("FILE");
  eval->add_option("--tokens", flags->tokens, "Token ids to predict, a JSON array")
      ->type_name("FILE.json");
  eval->add_option("--top-logprobs", flags->top, "Also the N best tokens at each position")
      ->type_name("N")
      ->check(Between(0, 1 << 20));
  eval->add_flag("--json", flags->json, "Print one JSON object");
  eval->callback([flags, &exit_code] {
    const Result<int> result = Eval(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
