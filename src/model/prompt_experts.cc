#include "model/prompt_experts.h"

#include <algorithm>
#include <array>
#include <atomic>

namespace flashmoe {
namespace {

// Fewer rows at a time would unpack weights too often.
constexpr int64_t kLaneRowsMin = 32;

// Calls fn(tokens, out) for at most `rows` of the expert's tokens at a time.
template <typename Fn>
void ForTokens(const PromptExpert& expert, int64_t rows, int64_t hidden, const Fn& fn) {
  const auto most = static_cast<size_t>(rows);
  for (size_t first = 0; first < expert.tokens.size(); first += most) {
    const size_t n = std::min(most, expert.tokens.size() - first);
    fn(expert.tokens.subspan(first, n), expert.out + static_cast<int64_t>(first) * hidden);
  }
}

void RunTogether(const LayerContext& c, const Activations& x, const PromptExpert& expert) {
  ForTokens(expert, c.work.block_tokens, c.config.hidden, [&](auto tokens, float* out) {
    const auto n = static_cast<int64_t>(tokens.size());
    c.pool.ParallelFor(n, 16, [&](int64_t begin, int64_t end) {
      c.work.gathered.CopyRows(x, tokens.subspan(begin, end - begin), begin);
    });
    const Activations inputs = c.work.gathered.Copied(x, 0, n);
    FeedForward(c, inputs, expert.gate, expert.up, expert.down, out);
  });
}

// One thread, with rows [row, row + rows) of the buffers to itself.
void RunAlone(const LayerContext& c, const Activations& x, const PromptExpert& expert, int64_t row,
              int64_t rows) {
  const int64_t width = expert.gate.rows, hidden = c.config.hidden;
  float* gate = c.work.gate.data() + row * width;
  float* up = c.work.up.data() + row * width;
  const bool quantise = c.kernels.activation_format(expert.down.type) == ActivationFormat::kQ8;
  ForTokens(expert, rows, hidden, [&](auto tokens, float* out) {
    const auto n = static_cast<int64_t>(tokens.size());
    c.work.gathered.CopyRows(x, tokens, row);
    const Activations inputs = c.work.gathered.Copied(x, row, n);
    c.kernels.matmul(expert.gate, 0, width, inputs, gate, width);
    c.kernels.matmul(expert.up, 0, width, inputs, up, width);
    c.kernels.silu_mul(gate, up, n * width, gate);
    if (quantise) c.work.inner.Quantise(c.kernels, gate, row * width, n, width);
    const Activations inner = c.work.inner.Rows(gate, row * width, n, width, quantise);
    c.kernels.matmul(expert.down, 0, hidden, inner, out, hidden);
  });
}

}  // namespace

void FeedForward(const LayerContext& c, const Activations& x, const Matrix& gate, const Matrix& up,
                 const Matrix& down, float* y) {
  const int64_t width = gate.rows;
  float* g = c.work.gate.data();
  float* u = c.work.up.data();
  const std::array first = {Projection{gate, g, width}, Projection{up, u, width}};
  Project(c.kernels, c.pool, x, first);
  c.pool.ParallelFor(x.n, 8, [&](int64_t begin, int64_t end) {
    c.kernels.silu_mul(g + begin * width, u + begin * width, (end - begin) * width,
                       g + begin * width);
  });
  const std::array type = {down.type};
  const Activations& hidden = c.work.inner.Set(c.kernels, c.pool, g, x.n, width, type);
  const std::array second = {Projection{down, y, down.rows}};
  Project(c.kernels, c.pool, hidden, second);
}

void RunPromptExperts(const LayerContext& c, const Activations& x,
                      std::span<PromptExpert> experts) {
  const int64_t lanes = c.pool.threads();
  const int64_t rows = c.work.block_tokens / lanes;
  if (std::ssize(experts) < 2 * lanes || rows < kLaneRowsMin) {
    for (const PromptExpert& expert : experts) RunTogether(c, x, expert);
    return;
  }
  // The longest first, so that all threads end at about the same time.
  std::ranges::sort(experts, std::ranges::greater(),
                    [](const PromptExpert& expert) { return expert.tokens.size(); });
  std::atomic<size_t> next = 0;
  c.pool.ParallelFor(lanes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t lane = begin; lane < end; ++lane) {
      for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < experts.size();) {
        RunAlone(c, x, experts[i], lane * rows, rows);
      }
    }
  });
}

}  // namespace flashmoe
