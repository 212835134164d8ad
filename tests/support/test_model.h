// Models opened for tests, and what a forward pass through them holds.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/session.h"
#include "tests/support/compare.h"
#include "tests/support/tensor_file.h"

namespace flashmoe {

// The folder of a model that is part of the repository's test data.
std::string TinyModel(const std::string& name);
// The model that comes with the program.
std::string BundledModel();
// The folder `name` of the folder that FLASHMOE_REFERENCE_MODELS names, if there is one.
std::optional<std::string> ReferenceModel(const std::string& name);
inline constexpr char kNoReferenceModels[] =
    "FLASHMOE_REFERENCE_MODELS does not name a folder that has this model";

// Two threads, and a context that the tests need.
EngineOptions TestOptions(const std::string& isa = "scalar");

Result<std::unique_ptr<Engine>> TryOpen(const std::string& path, const EngineOptions& options);
// Fails the test and returns nullptr if that does not work.
std::unique_ptr<Engine> Open(const std::string& path, const EngineOptions& options);

// Logits after every token, in chunks as a session takes them; empty after a failure of the test.
LogitRows AllLogits(Engine& engine, std::span<const int32_t> tokens);
LogitRows AllLogits(const std::string& path, std::span<const int32_t> tokens,
                    const EngineOptions& options = TestOptions());

// Everything that ForwardObserver shows, over all tokens.
struct ForwardTrace {
  std::vector<std::vector<float>> hidden;    // [layers + 2][T * H]: embedding, layers, final norm
  std::vector<std::vector<float>> mixer;     // [layers][T * H]
  std::vector<std::vector<float>> experts;   // [layers][T * H]
  std::vector<std::vector<int32_t>> chosen;  // [layers][T * k]
  std::vector<std::vector<float>> weights;   // [layers][T * k]
  LogitRows logits;                          // [T][vocab]
};
ForwardTrace TraceForward(Engine& engine, std::span<const int32_t> tokens);

// Greedy tokens after a prompt; stop tokens do not end it.
std::vector<int32_t> Greedy(Engine& engine, std::span<const int32_t> prompt, int64_t count);

// Pseudo-random ids.
std::vector<int32_t> SomeTokens(int64_t count, int32_t vocab, uint64_t seed = 1);

}  // namespace flashmoe
