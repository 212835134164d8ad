// flashmoe run: a prompt to an answer.
#include <fmt/format.h>

#include <cstdio>

#include "apps/flashmoe/command_line.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/units.h"
#include "chat/render_chat.h"
#include "engine/generate.h"
#include "format/utf8.h"
#include "grammar/grammar.h"

namespace flashmoe::cli {
namespace {

// Room to answer that a plan makes at least, where the user set no limit.
constexpr int64_t kAnswerTokens = 512;

struct RunFlags {
  EngineFlags engine;
  std::optional<std::string> prompt;
  std::string file, positional, system;
  std::vector<std::string> stop;
  std::string json_schema;  // a file
  std::optional<std::string> regex;
  bool raw = false, think = false, ignore_eos = false, json = false, verbose = false;
  int64_t max_tokens = -1;
  std::optional<float> temperature, top_p, min_p, presence, frequency, repetition;
  std::optional<int32_t> top_k;
  std::optional<uint64_t> seed;
  std::vector<std::string> logit_bias;  // "ID:BIAS"
};

// What is wrong with the command line, if anything.
std::string UsageProblem(const RunFlags& flags) {
  if (!flags.positional.empty() && flags.positional != "-") {
    return fmt::format("'{}' is not understood: give the prompt with -p TEXT", flags.positional);
  }
  if (!flags.json_schema.empty() && flags.regex) {
    return "--json-schema and --regex exclude each other: give one of them";
  }
  const int given = flags.prompt.has_value() + !flags.file.empty() + !flags.positional.empty();
  if (given == 1) return "";
  return fmt::format("there is {} prompt: give one with -p TEXT, -f FILE, or - for standard input",
                     given == 0 ? "no" : "more than one");
}

Result<std::string> PromptText(const RunFlags& flags) {
  if (flags.prompt) return *flags.prompt;
  return ReadText(flags.file.empty() ? flags.positional : flags.file);
}

// What the model is given: the prompt in the form of a chat, or as it is.
Result<RenderedChat> RenderPrompt(const TextModel& text, const RunFlags& flags,
                                  const std::string& prompt) {
  if (flags.raw) return RenderedChat{.prompt = prompt};
  if (!text.chat_template) {
    return Fail(ErrorCode::kNotFound, "the model has no chat template", {},
                "use --raw to continue the text as it is");
  }
  if (!IsUtf8(prompt) || !IsUtf8(flags.system)) {
    return InvalidInput("the prompt is not valid UTF-8", flags.file,
                        "convert it, e.g. with iconv -t UTF-8, or continue it with --raw");
  }
  ChatRequest request;
  if (!flags.system.empty()) {
    request.messages.push_back({.role = Role::kSystem, .text = flags.system});
  }
  request.messages.push_back({.role = Role::kUser, .text = prompt});
  request.thinking = flags.think;
  return RenderChat(*text.chat_template, text.tokenizer, request);
}

// What the answer to this prompt must look like; null: anything.
Result<std::shared_ptr<const Grammar>> AnswerGrammar(const RunFlags& flags,
                                                     const std::string& prompt) {
  const GrammarOptions options{.thinking = flags.raw ? ThinkingBlock::kNone
                                                     : ThinkingAfter(prompt, flags.think)};
  if (flags.regex) return CompileRegex(*flags.regex, options);
  if (flags.json_schema.empty()) return nullptr;
  FM_ASSIGN_OR_RETURN(const nlohmann::ordered_json schema, ReadJson(flags.json_schema));
  auto grammar = CompileJsonSchema(schema, options);
  if (!grammar.has_value()) grammar.error().where.insert(0, flags.json_schema + "#");
  return grammar;
}

Result<SamplingParams> Sampling(const RunFlags& flags, SamplingParams p) {
  p.temperature = flags.temperature.value_or(p.temperature);
  p.top_k = flags.top_k.value_or(p.top_k);
  p.top_p = flags.top_p.value_or(p.top_p);
  p.min_p = flags.min_p.value_or(p.min_p);
  p.presence_penalty = flags.presence.value_or(p.presence_penalty);
  p.frequency_penalty = flags.frequency.value_or(p.frequency_penalty);
  p.repetition_penalty = flags.repetition.value_or(p.repetition_penalty);
  p.seed = flags.seed.value_or(static_cast<uint64_t>(NowSeconds() * 1e6));
  for (const std::string& entry : flags.logit_bias) {
    int id = 0;
    float bias = 0;
    char rest = 0;
    if (std::sscanf(entry.c_str(), "%d:%f%c", &id, &bias, &rest) != 2) {
      return InvalidInput(fmt::format("'{}' is no logit bias", entry), "--logit-bias",
                          "write ID:BIAS, e.g. 42:-5");
    }
    p.logit_bias.emplace_back(id, bias);
  }
  return p;
}

struct Timing {
  double load_s = 0;
};

nlohmann::ordered_json ToJson(Engine& engine, const GenerateResult& r, const Timing& timing,
                              uint64_t seed) {
  const StoreStats& experts = engine.model().store().stats();
  const double gbps =
      experts.read_s > 0 ? static_cast<double>(experts.bytes_read) / experts.read_s / 1e9 : 0;
  return {{"text", r.text},
          {"tokens", r.tokens},
          {"finish_reason", Name(r.finish)},
          {"prompt_tokens", r.prompt_tokens},
          {"seed", seed},
          {"timings",
           {{"load_s", timing.load_s},
            {"ttft_s", r.ttft_s},
            {"prefill_tokens_per_s", r.prefill_tokens_per_s()},
            {"decode_tokens_per_s", r.decode_tokens_per_s()}}},
          {"experts",
           {{"requests", experts.requests},
            {"hits", experts.hits},
            {"bytes_read", experts.bytes_read},
            {"read_gbps", gbps}}},
          {"memory",
           {{"budget_bytes", engine.plan().memory.budget},
            {"peak_bytes", PeakResidentBytes()},
            {"slots", engine.model().store().slots()}}},
          {"plan", PlanToJson(engine.plan())}};
}

// Of the slots that the plan had, those that others needed the memory of.
std::string GivenBack(const ExpertStore& store) {
  if (store.slots() == store.slots_made()) return "";
  return fmt::format("; memory ran short: experts have {} of {} slots left", store.slots(),
                     store.slots_made());
}

std::string ReportLine(Engine& engine, const GenerateResult& r) {
  const StoreStats& experts = engine.model().store().stats();
  const double hits = experts.requests > 0 ? 100.0 * static_cast<double>(experts.hits) /
                                                 static_cast<double>(experts.requests)
                                           : 0;
  const double gbps =
      experts.read_s > 0 ? static_cast<double>(experts.bytes_read) / experts.read_s / 1e9 : 0;
  return fmt::format(
      "{} prompt tokens at {:.1f}/s, {} tokens at {:.1f}/s, first after {:.2f} s; experts {:.1f} % "
      "hits, {} read at {:.2f} GB/s; peak memory {} of {}{}",
      r.prompt_tokens, r.prefill_tokens_per_s(), r.tokens.size(), r.decode_tokens_per_s(), r.ttft_s,
      hits, FormatBytes(experts.bytes_read), gbps, FormatBytes(PeakResidentBytes()),
      FormatBytes(engine.plan().memory.budget), GivenBack(engine.model().store()));
}

Result<int> Run(const RunFlags& flags) {
  const CancelFlag& cancel = InstallInterruptHandler();
  FM_ASSIGN_OR_RETURN(const std::string prompt, PromptText(flags));
  FM_ASSIGN_OR_RETURN(EngineOptions options, MakeEngineOptions(flags.engine));
  options.cancel = &cancel;
  if (flags.engine.model.empty()) options.memory_wish = kBundledModelMemory;

  const double start = NowSeconds();
  const ProgressFn progress = TerminalProgress();
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, OpenRunnableModel(flags.engine.model));
  FM_ASSIGN_OR_RETURN(TextModel text, LoadTextModel(*file));
  GenerateRequest request;
  FM_ASSIGN_OR_RETURN(const RenderedChat rendered, RenderPrompt(text, flags, prompt));
  FM_ASSIGN_OR_RETURN(request.grammar, AnswerGrammar(flags, rendered.prompt));
  request.prompt = text.Encode(rendered.prompt, rendered.plain);
  FM_ASSIGN_OR_RETURN(request.sampling, Sampling(flags, text.sampling));
  request.max_tokens = flags.max_tokens;
  request.stop = flags.stop;
  request.ignore_stop_tokens = flags.ignore_eos;
  options.context_least = static_cast<int64_t>(request.prompt.size());
  options.context_needed =
      options.context_least + (flags.max_tokens >= 0 ? flags.max_tokens : kAnswerTokens);

  FM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine,
                      Engine::Load(std::move(file), std::move(text), options, progress));
  FM_ASSIGN_OR_RETURN(Session session, engine->NewSession());
  const Timing timing{NowSeconds() - start};
  ClearProgress();
  PrintDeviations(flags.engine, *engine);
  if (flags.verbose) PrintNote("plan: " + engine->plan().ToString());

  const auto show = [&](std::string_view piece) {
    ClearProgress();
    if (flags.json) return true;
    Print(piece);
    return FinishOutput().has_value();
  };
  FM_ASSIGN_OR_RETURN(const GenerateResult result,
                      Generate(*engine, session, request, show, progress, &cancel));
  ClearProgress();
  if (flags.json) {
    PrintJson(ToJson(*engine, result, timing, request.sampling.seed));
  } else {
    if (!result.text.empty() && result.text.back() != '\n') Print("\n");
    FM_RETURN_IF_ERROR(FinishOutput());
    PrintNote(ReportLine(*engine, result));
  }
  return result.finish == FinishReason::kCancelled ? kInterrupted : 0;
}

}  // namespace

void AddRun(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* run = app.add_subcommand("run", "Answer a prompt, as text comes to the terminal");
  AddEngineOptions(*run, flags->engine);
  run->add_option("-p,--prompt", flags->prompt, "What to say to the model")->type_name("TEXT");
  run->add_option("-f,--file", flags->file, "Read the prompt from a file")->type_name("FILE");
  run->add_option("input", flags->positional, "A lone - reads the prompt from standard input")
      ->type_name("");
  run->add_option("--system", flags->system, "System message")->type_name("TEXT");
  run->add_flag("--raw", flags->raw, "Continue the text as it is, without the chat template");
  run->add_flag("--think", flags->think, "Let the model think before it answers");
  run->add_option("-n,--max-tokens,--n-predict", flags->max_tokens,
                  "Most tokens of the answer; default: until the model stops")
      ->type_name("N")
      ->check(Between(-1, int64_t{1} << 40));
  run->add_option("--temp,--temperature", flags->temperature,
                  "Sampling temperature; 0: always the best token; default: the model's advice");
  run->add_option("--top-k", flags->top_k, "Choose among the N best tokens; 0: all")
      ->type_name("N");
  run->add_option("--top-p", flags->top_p, "Choose among the tokens that make up this probability");
  run->add_option("--min-p", flags->min_p, "Drop tokens below this part of the best one's");
  run->add_option("--presence-penalty", flags->presence,
                  "Against tokens that the answer holds already");
  run->add_option("--frequency-penalty", flags->frequency, "The same, for each time they occur");
  run->add_option("--repeat-penalty,--repetition-penalty", flags->repetition,
                  "Divides the logits of tokens in prompt and answer");
  run->add_option("--logit-bias", flags->logit_bias, "Added to a token's logit; may be repeated")
      ->type_name("ID:BIAS");
  run->add_option("-s,--seed", flags->seed, "Makes sampling repeatable")->type_name("N");
  run->add_option("--stop", flags->stop, "End the answer before this text; may be repeated")
      ->type_name("TEXT");
  run->add_option("--json-schema", flags->json_schema,
                  "The answer is JSON of this schema, whatever the model would say; - reads "
                  "standard input")
      ->type_name("FILE");
  run->add_option("--regex", flags->regex, "The answer matches this expression as a whole")
      ->type_name("REGEX");
  run->add_flag("--ignore-eos", flags->ignore_eos, "Go on where the model would end its answer");
  run->add_flag("--json", flags->json, "Print one JSON object instead of text and report");
  run->add_flag("-v,--verbose", flags->verbose, "Print the plan: what is resident and why");
  run->callback([flags, &exit_code] {
    if (const std::string problem = UsageProblem(*flags); !problem.empty()) {
      exit_code = ReportUsage("run", problem);
      return;
    }
    const Result<int> result = Run(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
