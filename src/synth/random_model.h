// Writes a model of random weights with the shapes of a real one, whose activations stay of unit
// size and whose routing follows the token, as a trained model's does.
// How: synth/weight_sizes.h. An LRU cache of a quarter of the experts hits about as often as on
// traces of trained models (docs/performance.md).
#pragma once

#include <cstdint>
#include <string>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/status.h"
#include "model/config.h"
#include "model/gguf_tensors.h"

namespace flashmoe {

struct RandomModelOptions {
  GgufTypes types = {};
  double routing_skew = 0;  // standard deviation of the logarithm of the size of a router's rows
  uint64_t seed = 1;
  int threads = 1;
};

// The metadata and the vocabulary of such a model, without any tensor.
Result<GgufWriter> BeginRandomModel(const ModelConfig& config);

// The file appears under `path` when it is complete; its bytes depend on config, types, skew and
// seed alone. Fails where a type does not suit the geometry, when the disk is full, and when
// cancelled (`cancel` may be null). Progress is in bytes. Returns the size of the file. REQUIRES:
// options.threads >= 1.
Result<uint64_t> WriteRandomModel(const ModelConfig& config, const RandomModelOptions& options,
                                  const std::string& path, const ProgressFn& progress = {},
                                  const CancelFlag* cancel = nullptr);

}  // namespace flashmoe
