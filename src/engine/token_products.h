// What a token is multiplied with, by type: what its computing costs, known without loading.
#pragma once

#include <cstdint>
#include <vector>

#include "model/weight_map.h"

namespace flashmoe {

struct ProductShare {
  DType type = DType::kF32;
  uint64_t bytes = 0;     // of weights (MLX: with scales and biases)
  uint64_t products = 0;  // multiplications of a token
};

struct TokenProducts {
  std::vector<ProductShare> dense;    // all that every token needs but the head
  std::vector<ProductShare> experts;  // of the routed experts of a token
  ProductShare head;
};

TokenProducts CountProducts(const WeightMap& map, int experts_per_token);

uint64_t SumProducts(const std::vector<ProductShare>& shares);

}  // namespace flashmoe
