#include "engine/token_products.h"

#include <algorithm>

namespace flashmoe {
namespace {

void Add(std::vector<ProductShare>& shares, DType type, uint64_t bytes, uint64_t products) {
  if (products == 0) return;
  auto share = std::ranges::find(shares, type, &ProductShare::type);
  if (share == shares.end()) share = shares.insert(share, {type, 0, 0});
  share->bytes += bytes;
  share->products += products;
}

void Add(std::vector<ProductShare>& shares, const MatrixSource& m) {
  Add(shares, m.type, m.bytes(), static_cast<uint64_t>(m.rows * m.cols));
}

void AddExperts(std::vector<ProductShare>& shares, const ExpertMatrix& matrix, int count) {
  const Matrix& m = matrix.shape;
  const int64_t scales = m.group == 0 ? 0 : 2 * RowBytes(m.scale_type, m.cols / m.group);
  const auto rows = static_cast<uint64_t>(m.rows * count);
  Add(shares, m.type, rows * static_cast<uint64_t>(m.row_bytes + scales),
      rows * static_cast<uint64_t>(m.cols));
}

}  // namespace

TokenProducts CountProducts(const WeightMap& map, int experts_per_token) {
  TokenProducts products;
  const MatrixSource& head = map.head ? *map.head : map.embedding;
  products.head = {head.type, head.bytes(), static_cast<uint64_t>(head.rows * head.cols)};
  for (const LayerSources& layer : map.layers) {
    auto& dense = products.dense;
    if (const auto& a = layer.attention) {
      for (const MatrixSource* m : {&a->q, &a->k, &a->v, &a->o}) Add(dense, *m);
    }
    if (const auto& d = layer.delta_net) {
      for (const MatrixSource* m : {&d->qkv, &d->z, &d->a, &d->b, &d->out}) Add(dense, *m);
    }
    for (const MatrixSource* m : {&layer.router, &layer.shared_gate, &layer.shared_up,
                                  &layer.shared_down, &layer.shared_router}) {
      Add(dense, *m);
    }
    for (const ExpertMatrix* m : {&layer.experts.gate, &layer.experts.up, &layer.experts.down}) {
      AddExperts(products.experts, *m, experts_per_token);
    }
  }
  return products;
}

uint64_t SumProducts(const std::vector<ProductShare>& shares) {
  uint64_t sum = 0;
  for (const ProductShare& share : shares) sum += share.products;
  return sum;
}

}  // namespace flashmoe
