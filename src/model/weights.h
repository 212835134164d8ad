// The dense weights in memory: a private copy, read once, so that expert traffic cannot push them
// out as it would a mapping of the file.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/cancel.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/status.h"
#include "io/async_reader.h"
#include "model/weight_map.h"
#include "tensor/matrix.h"

namespace flashmoe {

struct AttentionWeights {
  Matrix q, k, v, o;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
};

struct DeltaNetWeights {
  Matrix qkv, z, a, b, out;
  const float* conv = nullptr;
  const float* dt_bias = nullptr;
  const float* neg_a = nullptr;
  const float* norm = nullptr;
};

struct LayerWeights {
  const float* mixer_norm = nullptr;
  const float* moe_norm = nullptr;
  std::optional<AttentionWeights> attention;
  std::optional<DeltaNetWeights> delta_net;
  Matrix router;                               // floats: routing is decided in float32 arithmetic
  Matrix shared_gate, shared_up, shared_down;  // rows 0: no shared expert
  Matrix shared_router;
  ExpertLayout experts;
};

// Immutable after Load; any number of threads may read. The embedding is resident only if it also
// serves as the head; else its rows are fetched from the file, one a token.
class Weights {
 public:
  // Bytes that Load will hold for these weights, before anything is read.
  static uint64_t ResidentBytes(const WeightMap& map);

  // The files behind `map` must outlive the weights.
  static Result<Weights> Load(const WeightMap& map, const ReaderOptions& reader,
                              const ProgressFn& progress, const CancelFlag* cancel);

  // out [tokens, H]: rows of the embedding as floats, by the dequantiser given.
  using DequantizeRow = void (*)(const Matrix& w, int64_t row, float* out);
  Status Embed(std::span<const int32_t> tokens, DequantizeRow dequantize, float* out) const;

  const std::vector<LayerWeights>& layers() const { return layers_; }
  const float* final_norm() const { return final_norm_; }
  const Matrix& head() const { return head_; }

 private:
  friend class WeightLoader;
  Weights() = default;

  std::vector<Memory> memory_;
  std::vector<LayerWeights> layers_;
  const float* final_norm_ = nullptr;
  Matrix head_;
  std::optional<MatrixSource> embedding_on_disk_;  // nullopt: head_ serves
};

}  // namespace flashmoe
