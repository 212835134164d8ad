#include "model/weight_map.h"

#include "model/tensor_finder.h"

namespace flashmoe {

Matrix Bind(const ExpertMatrix& matrix, std::span<const std::byte* const> pieces) {
  Matrix bound = matrix.shape;
  bound.data = pieces[matrix.data_piece] + matrix.data_offset;
  if (matrix.scales_piece >= 0) {
    bound.scales = pieces[matrix.scales_piece];
    bound.biases = pieces[matrix.biases_piece];
  }
  return bound;
}

Result<WeightMap> MapWeights(const ModelFile& file, ModelConfig& config) {
  return file.container() == Container::kGguf ? MapGguf(file, config) : MapHf(file, config);
}

}  // namespace flashmoe
