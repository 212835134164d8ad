// What a GGUF file of a geometry holds, as llama.cpp's converters write it: the other direction of
// config_gguf.cc and weight_map_gguf.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "format/gguf_writer.h"
#include "model/config.h"

namespace flashmoe {

enum class TensorRole : uint8_t {
  kSmall,    // norms, convolutions, routers: F32 in every file
  kDense,    // matrices that every token needs
  kExperts,  // stacks of routed experts
};

struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;  // outermost first
  TensorRole role = TensorRole::kSmall;
};

// One layer in so many is full attention, where a model has delta nets.
inline constexpr int kAttentionInterval = 4;

// In the order of a converter: embedding, head, then layer by layer. Gate and up of the experts are
// tensors of their own. The head is not tied.
std::vector<TensorSpec> ListGgufTensors(const ModelConfig& config);

// The metadata that config_gguf.cc reads, and what else llama.cpp asks for.
void AddGgufGeometry(const ModelConfig& config, GgufWriter& file);

// The types of a file's matrices.
struct GgufTypes {
  DType dense = DType::kQ8_0;
  DType experts = DType::kQ4_0;

  DType Of(TensorRole role) const;
};

// Fails where rows do not divide into blocks of a type, or where it is no type of weights.
Status CheckGgufTypes(const ModelConfig& config, const GgufTypes& types);

}  // namespace flashmoe
