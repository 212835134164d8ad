// How well each predictor knows a layer's experts before its router does, on a model and texts.
// Prints CSV, a line for each predictor and layer ("all": over all layers):
//   recall_K   of the experts chosen, the share among the first K guesses
//   covered_K  of the experts chosen that a cache without prefetching misses, the share among them
//   read_K     experts that the first K guesses would have read, per expert so covered
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/units.h"
#include "bench/prediction/meter.h"
#include "engine/engine.h"
#include "engine/session.h"

namespace flashmoe {
namespace {

struct Flags {
  std::string model, tokens;
  int sequence_tokens = 1024, sequences = 1 << 20, threads = 2;
  double budget = 25;
};

// Token ids as little-endian uint16.
Result<std::vector<int32_t>> ReadTokens(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (bytes.empty() || bytes.size() % 2 != 0) return InvalidInput("there are no 16-bit ids", path);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    ids.push_back(static_cast<uint8_t>(bytes[i]) | static_cast<uint8_t>(bytes[i + 1]) << 8);
  }
  return ids;
}

double Ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void PrintScore(std::string_view predictor, const std::string& layer, const LayerScore& score) {
  std::string line = fmt::format("{},{}", predictor, layer);
  RankCounts sum;
  for (int rank = 0; rank < kGuesses; ++rank) {
    const RankCounts& counts = score.ranks[static_cast<size_t>(rank)];
    sum.guessed += counts.guessed;
    sum.chosen += counts.chosen;
    sum.issued += counts.issued;
    sum.useful += counts.useful;
    if (rank != 1 && rank != 3 && rank != 5 && rank != 7 && rank != 11) continue;
    line += fmt::format(",{:.3f},{:.3f},{:.2f}", Ratio(sum.chosen, score.choices),
                        Ratio(sum.useful, score.misses), Ratio(sum.issued, sum.useful));
  }
  line += fmt::format(",{:.3f}", Ratio(score.misses, score.choices));
  std::puts(line.c_str());
}

// `from`: of layers that the predictor can guess.
LayerScore Sum(const PredictionScore& score, int predictor, int from, int layers) {
  LayerScore sum;
  for (int layer = from; layer < layers; ++layer) {
    const LayerScore& one = score.at(predictor, layer);
    sum.choices += one.choices;
    sum.misses += one.misses;
    for (size_t rank = 0; rank < kGuesses; ++rank) {
      sum.ranks[rank].guessed += one.ranks[rank].guessed;
      sum.ranks[rank].chosen += one.ranks[rank].chosen;
      sum.ranks[rank].issued += one.ranks[rank].issued;
      sum.ranks[rank].useful += one.ranks[rank].useful;
    }
  }
  return sum;
}

void PrintTable(const PredictionScore& score, int layers) {
  std::string head = "predictor,layer";
  for (const int k : {2, 4, 6, 8, 12}) head += fmt::format(",recall_{0},covered_{0},read_{0}", k);
  std::puts((head + ",misses").c_str());
  for (int predictor = 0; predictor < kPredictors; ++predictor) {
    const std::string_view name = kPredictorNames[static_cast<size_t>(predictor)];
    PrintScore(name, "1..", Sum(score, predictor, 1, layers));
    for (int layer = 0; layer < layers; ++layer) {
      PrintScore(name, std::to_string(layer), score.at(predictor, layer));
    }
  }
}

struct Shape {
  std::string_view name;
  int layers, experts, hidden, chosen;
};
constexpr std::array kShapes = {Shape{"ember-wide", 12, 128, 256, 4},
                                Shape{"qwen3.5-35b-a3b", 40, 256, 2048, 8},
                                Shape{"qwen3.5-397b-a17b", 60, 512, 4096, 10}};

// What one guess for one token costs, and learning from it, the routers of all layers in turn.
Status PrintCost(const Shape& shape, int threads) {
  ModelConfig config;
  config.layers = shape.layers;
  config.experts = shape.experts;
  config.hidden = shape.hidden;
  config.experts_per_token = shape.chosen;
  const KernelTable& kernels = *AvailableKernels().back();
  const auto hidden = static_cast<size_t>(shape.hidden);
  const std::vector<float> x(hidden, 0.5f);
  const std::vector<float> router(static_cast<size_t>(shape.experts) * hidden, 0.01f);
  LayerWeights layer;
  layer.moe_norm = x.data();
  layer.router = {.rows = shape.experts,
                  .cols = shape.hidden,
                  .data = reinterpret_cast<const std::byte*>(router.data()),
                  .row_bytes = static_cast<int64_t>(hidden * sizeof(float))};
  const std::vector<LayerWeights> layers(static_cast<size_t>(shape.layers), layer);
  FM_ASSIGN_OR_RETURN(AdaptiveRouters routers, AdaptiveRouters::Create(config, layers, kernels));
  ThreadPool pool(threads);
  std::vector<float> logits(static_cast<size_t>(shape.experts));
  std::iota(logits.begin(), logits.end(), 0.0f);
  std::vector<int32_t> best(static_cast<size_t>(2 * shape.chosen));
  std::vector<int32_t> chosen(static_cast<size_t>(shape.chosen));
  std::iota(chosen.begin(), chosen.end(), shape.experts - shape.chosen);
  constexpr int kRounds = 20;
  double predict_s = 0, learn_s = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int l = 0; l < shape.layers; ++l) {
      const double start_s = NowSeconds();
      routers.Predict(pool, l, x, best);
      const double predicted_s = NowSeconds();
      routers.Learn(l, logits, chosen);
      predict_s += predicted_s - start_s;
      learn_s += NowSeconds() - predicted_s;
    }
  }
  const double scale = 1e6 / kRounds / shape.layers;
  fmt::print(stderr, "{}: {:.1f} us a guess, {:.1f} us to learn, {} in memory\n", shape.name,
             predict_s * scale, learn_s * scale, FormatBytes(AdaptiveRouters::Bytes(config)));
  return {};
}

Status Measure(const Flags& flags) {
  FM_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, ReadTokens(flags.tokens));
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, ModelFile::Open(flags.model));
  FM_ASSIGN_OR_RETURN(TextModel words, LoadTextModel(*file));
  EngineOptions options;
  options.threads = flags.threads;
  options.context = flags.sequence_tokens;
  FM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine,
                      Engine::Load(std::move(file), std::move(words), options));
  FM_ASSIGN_OR_RETURN(Session session, engine->NewSession());
  Model& model = engine->model();
  const ModelConfig& config = model.config();
  const auto slots = static_cast<uint32_t>(config.layers * config.experts * flags.budget / 100);
  std::vector<AdaptiveRouters> learning;
  for (int i = 0; i < PredictionMeter::kCopies; ++i) {
    FM_ASSIGN_OR_RETURN(
        AdaptiveRouters routers,
        AdaptiveRouters::Create(config, model.weights().layers(), *model.options().kernels));
    learning.push_back(std::move(routers));
  }
  PredictionMeter meter(model, slots, std::move(learning));
  const auto length = static_cast<size_t>(flags.sequence_tokens);
  const size_t sequences = std::min(tokens.size() / length, static_cast<size_t>(flags.sequences));
  for (size_t s = 0; s < sequences; ++s) {
    const auto sequence = std::span(tokens).subspan(s * length, length);
    meter.BeginSequence(sequence);
    FM_RETURN_IF_ERROR(session.Observe(sequence, meter));
  }
  PrintTable(meter.score(), config.layers);
  for (const Shape& shape : kShapes) FM_RETURN_IF_ERROR(PrintCost(shape, flags.threads));
  return {};
}

int Main(int argc, char** argv) {
  CLI::App app("Recall of predictors of experts");
  Flags flags;
  app.add_option("-m,--model", flags.model)->required();
  app.add_option("--tokens", flags.tokens, "Ids as little-endian uint16")->required();
  app.add_option("--sequence-tokens", flags.sequence_tokens)->check(CLI::Range(1, 1 << 20));
  app.add_option("--sequences", flags.sequences, "At most")->check(CLI::Range(1, 1 << 20));
  app.add_option("--budget", flags.budget, "Cache, in per cent of all experts");
  app.add_option("-t,--threads", flags.threads)->check(CLI::Range(1, 1024));
  CLI11_PARSE(app, argc, argv);
  const Status status = Measure(flags);
  if (!status.has_value()) std::fprintf(stderr, "%s\n", status.error().ToString().c_str());
  return status.has_value() ? 0 : 1;
}

}  // namespace
}  // namespace flashmoe

int main(int argc, char** argv) { return flashmoe::Main(argc, argv); }
