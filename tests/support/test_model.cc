#include "tests/support/test_model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "engine/generate.h"

namespace flashmoe {
namespace {

class TraceObserver : public ForwardObserver {
 public:
  TraceObserver(ForwardTrace& trace, int layers) : trace_(trace), layers_(layers) {
    trace.hidden.resize(layers + 2);
    trace.mixer.resize(layers);
    trace.experts.resize(layers);
    trace.chosen.resize(layers);
    trace.weights.resize(layers);
  }
  void OnEmbedding(std::span<const float> x) override { Append(trace_.hidden[0], x); }
  void OnMixer(int layer, std::span<const float> x) override { Append(trace_.mixer[layer], x); }
  void OnExperts(int layer, std::span<const float> x) override { Append(trace_.experts[layer], x); }
  void OnLayer(int layer, std::span<const float> x) override {
    Append(trace_.hidden[layer + 1], x);
  }
  void OnFinalNorm(std::span<const float> x) override { Append(trace_.hidden[layers_ + 1], x); }
  void OnRouting(int layer, std::span<const int32_t> chosen,
                 std::span<const float> weights) override {
    Append(trace_.chosen[layer], chosen);
    Append(trace_.weights[layer], weights);
  }

 private:
  template <typename T>
  static void Append(std::vector<T>& to, std::span<const T> values) {
    to.insert(to.end(), values.begin(), values.end());
  }
  ForwardTrace& trace_;
  int layers_;
};

}  // namespace

std::string TinyModel(const std::string& name) { return FLASHMOE_TEST_DATA "/models/" + name; }

std::string BundledModel() { return FLASHMOE_SOURCE_DIR "/models/ember/ember-q4_k_m.gguf"; }

std::optional<std::string> ReferenceModel(const std::string& name) {
  const char* folder = std::getenv("FLASHMOE_REFERENCE_MODELS");
  if (folder == nullptr) return std::nullopt;
  const std::string path = std::string(folder) + "/" + name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

EngineOptions TestOptions(const std::string& isa) {
  EngineOptions options;
  options.isa = isa;
  options.threads = 2;
  options.context = 1024;
  return options;
}

Result<std::unique_ptr<Engine>> TryOpen(const std::string& path, const EngineOptions& options) {
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, ModelFile::Open(path));
  FM_ASSIGN_OR_RETURN(TextModel text, LoadTextModel(*file));
  return Engine::Load(std::move(file), std::move(text), options);
}

std::unique_ptr<Engine> Open(const std::string& path, const EngineOptions& options) {
  auto engine = TryOpen(path, options);
  if (engine.has_value()) return std::move(*engine);
  ADD_FAILURE() << path << ": " << engine.error().ToString();
  return nullptr;
}

LogitRows AllLogits(Engine& engine, std::span<const int32_t> tokens) {
  LogitRows rows;
  auto session = engine.NewSession();
  if (!session.has_value()) {
    ADD_FAILURE() << session.error().ToString();
    return rows;
  }
  const Status status = session->Evaluate(tokens, [&](int64_t, std::span<const float> row) {
    rows.emplace_back(row.begin(), row.end());
  });
  if (!status.has_value()) {
    ADD_FAILURE() << status.error().ToString();
    rows.clear();
  }
  return rows;
}

LogitRows AllLogits(const std::string& path, std::span<const int32_t> tokens,
                    const EngineOptions& options) {
  const auto engine = Open(path, options);
  return engine == nullptr ? LogitRows() : AllLogits(*engine, tokens);
}

ForwardTrace TraceForward(Engine& engine, std::span<const int32_t> tokens) {
  ForwardTrace trace;
  Model& model = engine.model();
  const ModelOptions& options = model.options();
  auto state =
      SequenceState::Create(Model::Shape(model.config(), options.context, options.kv_type));
  if (!state.has_value()) {
    ADD_FAILURE() << state.error().ToString();
    return trace;
  }
  TraceObserver observer(trace, model.config().layers);
  for (size_t done = 0; done < tokens.size();) {
    const auto part =
        tokens.subspan(done, std::min<size_t>(options.chunk_tokens, tokens.size() - done));
    const Status status = model.Forward(part, *state, &observer);
    if (!status.has_value()) {
      ADD_FAILURE() << status.error().ToString();
      return trace;
    }
    for (size_t i = 0; i < part.size(); ++i) {
      trace.logits.emplace_back(model.config().vocab_rows);
      model.Logits(static_cast<int64_t>(i), trace.logits.back());
    }
    done += part.size();
  }
  return trace;
}

std::vector<int32_t> Greedy(Engine& engine, std::span<const int32_t> prompt, int64_t count) {
  auto session = engine.NewSession();
  if (!session.has_value()) {
    ADD_FAILURE() << session.error().ToString();
    return {};
  }
  GenerateRequest request;
  request.prompt.assign(prompt.begin(), prompt.end());
  request.sampling.temperature = 0;
  request.max_tokens = count;
  request.ignore_stop_tokens = true;
  const auto result = Generate(engine, *session, request, {});
  if (result.has_value()) return result->tokens;
  ADD_FAILURE() << result.error().ToString();
  return {};
}

std::vector<int32_t> SomeTokens(int64_t count, int32_t vocab, uint64_t seed) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    tokens.push_back(static_cast<int32_t>((seed >> 33) % static_cast<uint64_t>(vocab)));
  }
  return tokens;
}

}  // namespace flashmoe
