// Speed of a model over a fixed text, every expert that the text needs resident: each next token is
// the text's, so that every engine routes alike. Prints one JSON object; peers/compare.mjs puts it
// beside another engine's.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/bandwidth.h"
#include "base/clock.h"
#include "base/units.h"
#include "engine/engine.h"
#include "engine/session.h"

namespace flashmoe {
namespace {

struct Flags {
  std::string model, tokens, memory = "12GiB", isa = "auto";
  int threads = 2, prompt = 512, decode = 128;
};

Result<std::vector<int32_t>> ReadTokens(const Flags& flags) {
  std::ifstream in(flags.tokens);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto wanted = static_cast<size_t>(flags.prompt + flags.decode);
  if (!json.is_array() || json.size() < wanted) {
    return InvalidInput(fmt::format("there are no {} token ids", wanted), flags.tokens);
  }
  std::vector<int32_t> ids;
  for (size_t i = 0; i < wanted; ++i) {
    if (!json[i].is_number_integer()) return InvalidInput("there is no token id", flags.tokens);
    ids.push_back(json[i].get<int32_t>());
  }
  return ids;
}

struct Times {
  double prefill_s = 0, decode_s = 0;
};

// `prompt` tokens at once, then the others one by one.
Result<Times> Run(Session& session, std::span<const int32_t> tokens, int prompt) {
  Times times;
  const double start_s = NowSeconds();
  FM_RETURN_IF_ERROR(session.Sync(tokens.first(static_cast<size_t>(prompt))));
  times.prefill_s = NowSeconds() - start_s;
  for (const int32_t id : tokens.subspan(static_cast<size_t>(prompt))) {
    FM_RETURN_IF_ERROR(session.Append(id));
  }
  times.decode_s = NowSeconds() - start_s - times.prefill_s;
  return times;
}

Result<nlohmann::ordered_json> Measure(const Flags& flags) {
  FM_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, ReadTokens(flags));
  FM_ASSIGN_OR_RETURN(const double roof, MeasureReadBandwidth(flags.threads));

  EngineOptions options;
  FM_ASSIGN_OR_RETURN(options.memory_bytes, ParseBytes(flags.memory));
  options.threads = flags.threads;
  options.isa = flags.isa;
  options.context = flags.prompt + flags.decode + kDeltaChunk;
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, ModelFile::Open(flags.model));
  FM_ASSIGN_OR_RETURN(const ModelFacts facts, Inspect(*file, 0, KvType::kF16));
  FM_ASSIGN_OR_RETURN(TextModel text, LoadTextModel(*file));
  FM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine,
                      Engine::Load(std::move(file), std::move(text), options));
  FM_ASSIGN_OR_RETURN(Session session, engine->NewSession());

  // The first time over the text brings its experts in.
  FM_ASSIGN_OR_RETURN(Times times, Run(session, tokens, flags.prompt));
  session.Reset();
  engine->model().store().ResetStats();
  FM_ASSIGN_OR_RETURN(times, Run(session, tokens, flags.prompt));
  const uint64_t token_bytes =
      facts.dense_bytes + facts.expert_bytes_token + 2 * facts.state_fixed_bytes;
  return nlohmann::ordered_json{
      {"prefill_tokens_per_s", flags.prompt / times.prefill_s},
      {"decode_tokens_per_s", flags.decode / times.decode_s},
      {"bytes_per_token", token_bytes},
      {"decode_gbps", static_cast<double>(token_bytes) * flags.decode / times.decode_s * 1e-9},
      {"roof_gbps", roof * 1e-9},
      {"expert_bytes_read", engine->model().store().stats().bytes_read},
      {"kernels", engine->plan().kernels}};
}

}  // namespace
}  // namespace flashmoe

int main(int argc, char** argv) {
  flashmoe::Flags flags;
  CLI::App app("Prefill and decode speed over a fixed text, as one JSON object");
  app.add_option("--model", flags.model)->required();
  app.add_option("--tokens", flags.tokens, "JSON array of token ids")->required();
  app.add_option("--prompt", flags.prompt, "Tokens of it to prefill")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--decode", flags.decode, "Tokens to decode after")->check(CLI::Range(1, 1 << 20));
  app.add_option("--memory", flags.memory, "Budget; enough for all experts");
  app.add_option("--threads", flags.threads)->check(CLI::Range(1, 1024));
  app.add_option("--isa", flags.isa, "Kernel table");
  CLI11_PARSE(app, argc, argv);
  const auto result = flashmoe::Measure(flags);
  if (!result.has_value()) {
    fmt::print(stderr, "{}\n", result.error().ToString());
    return 1;
  }
  fmt::print("{}\n", result->dump());
  return 0;
}
