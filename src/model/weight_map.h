// Which tensor, or which rows of it, plays which part in the model, and where it lies on disk. The
// only place that knows tensor names. Nothing is read here; every shape is checked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "experts/store.h"
#include "format/model_file.h"
#include "model/config.h"
#include "tensor/matrix.h"

namespace flashmoe {

// A run of consecutive rows of a tensor.
struct RowRun {
  int64_t first = 0;
  int64_t count = 0;
};

// A dense matrix on disk. Its rows are those of `runs`, in that order; no runs: all rows.
struct MatrixSource {
  DType type = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
  int32_t group = 0;                // MLX only
  DType scale_type = DType::kBF16;  // MLX only
  Extent data, scales, biases;      // of all rows of the tensor; the last two MLX only
  std::vector<RowRun> runs;

  int64_t row_bytes() const { return RowBytes(type, cols); }
  // Bytes of one row of scales (and of biases); 0 unless MLX.
  int64_t scale_row_bytes() const { return group == 0 ? 0 : RowBytes(scale_type, cols / group); }
  uint64_t bytes() const {
    return static_cast<uint64_t>(rows) * static_cast<uint64_t>(row_bytes() + 2 * scale_row_bytes());
  }
};

// A small vector that is held as float32: value = negate_exp ? -exp(w) : w + add.
struct VectorSource {
  const TensorInfo* tensor = nullptr;
  int64_t elements = 0;
  float add = 0.0f;
  bool negate_exp = false;
};

// One matrix of an expert, as the pieces of its catalog entry.
struct ExpertMatrix {
  Matrix shape;  // type, rows, cols, row_bytes, group, scale_type; no addresses
  int data_piece = 0;
  int64_t data_offset = 0;  // bytes into the piece: where gate and up are fused
  int scales_piece = -1;
  int biases_piece = -1;
};
struct ExpertLayout {
  ExpertMatrix gate, up;  // [expert_width, hidden]
  ExpertMatrix down;      // [hidden, expert_width]
};
// The matrix at its place in memory. `pieces`: first byte of each piece, in catalog order.
Matrix Bind(const ExpertMatrix& matrix, std::span<const std::byte* const> pieces);

struct AttentionSources {
  MatrixSource q;     // [heads * head_dim (* 2 with an output gate: per head query, then gate), H]
  MatrixSource k, v;  // [kv_heads * head_dim, H]
  MatrixSource o;     // [H, heads * head_dim]
  VectorSource q_norm, k_norm;  // [head_dim]
};

struct DeltaNetSources {
  MatrixSource qkv;   // [conv_channels, H]: q of all key heads, k of all, v of all value heads
  MatrixSource z;     // [value_heads * value_dim, H]
  MatrixSource a, b;  // [value_heads, H]
  MatrixSource out;   // [H, value_heads * value_dim]
  VectorSource conv;  // [conv_channels * kConvTaps], channel-major
  VectorSource dt_bias, neg_a;  // [value_heads]
  VectorSource norm;            // [value_dim]
};

struct LayerSources {
  VectorSource mixer_norm, moe_norm;  // [H]
  std::optional<AttentionSources> attention;
  std::optional<DeltaNetSources> delta_net;
  MatrixSource router;                               // [experts, H]
  MatrixSource shared_gate, shared_up, shared_down;  // rows 0: no shared expert
  MatrixSource shared_router;                        // [1, H]
  ExpertLayout experts;
};

struct WeightMap {
  MatrixSource embedding;            // [vocab_rows, H]
  std::optional<MatrixSource> head;  // [vocab_rows, H]; nullopt: the embedding serves
  VectorSource final_norm;           // [H]
  std::vector<LayerSources> layers;
  ExpertCatalog experts{0, 0};
};

// Sets config.vocab_rows from the embedding where the metadata did not say.
Result<WeightMap> MapWeights(const ModelFile& file, ModelConfig& config);

}  // namespace flashmoe
