#include "synth/random_matrix.h"

#include "base/check.h"

namespace flashmoe {

RandomMatrix::RandomMatrix(DType type, int64_t cols, double size, uint64_t seed,
                           const BiasColumns& bias)
    : bias_(bias),
      rest_(type, cols - bias.cols, size, seed),
      head_(type, bias.cols, bias.size, ~seed),
      zeros_(type, bias.cols, 0.0, ~seed) {}

void RandomMatrix::Fill(int64_t first_row, std::span<std::byte> out) const {
  const auto head_bytes = static_cast<size_t>(head_.row_bytes());
  const auto rest_bytes = static_cast<size_t>(rest_.row_bytes());
  FM_CHECK(out.size() % (head_bytes + rest_bytes) == 0);
  for (int64_t row = first_row; !out.empty(); ++row) {
    const RandomRows& head = row < bias_.rows ? head_ : zeros_;
    head.Fill(bias_.same ? 0 : row, out.first(head_bytes));
    rest_.Fill(row, out.subspan(head_bytes, rest_bytes));
    out = out.subspan(head_bytes + rest_bytes);
  }
}

}  // namespace flashmoe
