#include "model/token_experts.h"

#include <algorithm>

namespace flashmoe {
namespace {

constexpr int64_t kInnerRows = 32;  // of gate and up that a thread takes: what is quantised at once
constexpr int64_t kDownRows = 128;

int64_t CountBlocks(int64_t rows, int64_t block) { return (rows + block - 1) / block; }

// Calls fn(expert, begin, end) for the rows of all experts, a block each: numbers of rows may
// differ, `rows` is the largest.
template <typename Fn>
void ForBlocks(ThreadPool& pool, size_t experts, int64_t rows, int64_t block, const Fn& fn) {
  const int64_t blocks = CountBlocks(rows, block);
  pool.ParallelFor(static_cast<int64_t>(experts) * blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = i % blocks * block;
      fn(static_cast<size_t>(i / blocks), begin, begin + block);
    }
  });
}

}  // namespace

void RunTokenExperts(const LayerContext& c, const Activations& x,
                     std::span<const TokenExpert> experts) {
  int64_t width = 0;
  for (const TokenExpert& expert : experts) width = std::max(width, expert.gate.rows);
  const int64_t stride = CountBlocks(width, kInnerRows) * kInnerRows;
  const auto wants_q8 = [&](const TokenExpert& expert) {
    return c.kernels.activation_format(expert.down.type) == ActivationFormat::kQ8;
  };

  ForBlocks(c.pool, experts.size(), width, kInnerRows, [&](size_t i, int64_t begin, int64_t end) {
    const TokenExpert& expert = experts[i];
    end = std::min(end, expert.gate.rows);
    if (begin >= end) return;
    const int64_t at = static_cast<int64_t>(i) * stride;
    // In places that are in the thread's cache, since what was written is read at once.
    const int64_t rows = end - begin;
    alignas(64) float gate[kInnerRows], up[kInnerRows];
    c.kernels.matmul(SliceRows(expert.gate, begin, rows), 0, rows, x, gate, rows);
    c.kernels.matmul(SliceRows(expert.up, begin, rows), 0, rows, x, up, rows);
    if (wants_q8(expert)) {
      c.kernels.silu_mul(gate, up, rows, gate);
      c.work.inner.Quantise(c.kernels, gate, at + begin, 1, rows);
    } else {
      c.kernels.silu_mul(gate, up, rows, c.work.gate.data() + at + begin);
    }
  });

  ForBlocks(c.pool, experts.size(), c.config.hidden, kDownRows,
            [&](size_t i, int64_t begin, int64_t end) {
              const TokenExpert& expert = experts[i];
              end = std::min(end, expert.down.rows);
              const int64_t at = static_cast<int64_t>(i) * stride;
              const Activations inner = c.work.inner.Rows(c.work.gate.data() + at, at, 1,
                                                          expert.gate.rows, wants_q8(expert));
              c.kernels.matmul(expert.down, begin, end, inner, expert.out, expert.down.rows);
            });
}

}  // namespace flashmoe
