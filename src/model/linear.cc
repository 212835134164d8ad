#include "model/linear.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace flashmoe {
namespace {

constexpr int64_t kQ8Block = 32;
constexpr int64_t kSums = 2;           // of a block
constexpr int64_t kRowsTogether = 32;  // the most that kernels compute at once
constexpr int64_t kManyTokens = 8;

bool WantsQ8(const KernelTable& kernels, std::span<const DType> types) {
  return std::any_of(types.begin(), types.end(), [&](DType type) {
    return kernels.activation_format(type) == ActivationFormat::kQ8;
  });
}

}  // namespace

ActivationBuffer::ActivationBuffer(int64_t n_max, int64_t cols_max, bool gathers)
    : f32_(gathers ? n_max * cols_max : 0),
      q8_(n_max * cols_max),
      scales_(n_max * (cols_max / kQ8Block + 1)),
      sums_(n_max * (cols_max / kQ8Block + 1) * kSums) {}

uint64_t ActivationBuffer::Bytes(int64_t n_max, int64_t cols_max, bool gathers) {
  const int64_t quantised = cols_max + cols_max / kQ8Block * 8 + 8;
  return static_cast<uint64_t>(n_max * (quantised + (gathers ? 4 * cols_max : 0)));
}

const Activations& ActivationBuffer::Set(const KernelTable& kernels, ThreadPool& pool,
                                         const float* x, int64_t n, int64_t cols,
                                         std::span<const DType> types) {
  view_ = {};
  view_.n = n;
  view_.cols = cols;
  view_.f32 = x;
  if (!WantsQ8(kernels, types)) return view_;
  FM_CHECK(cols % kQ8Block == 0 && n * cols <= static_cast<int64_t>(q8_.size()));
  const int64_t blocks = cols / kQ8Block;
  pool.ParallelFor(n, 8, [&](int64_t begin, int64_t end) {
    kernels.quantize_q8(x + begin * cols, end - begin, cols, q8_.data() + begin * cols,
                        scales_.data() + begin * blocks, sums_.data() + begin * blocks * kSums);
  });
  view_.q8 = q8_.data();
  view_.scales = scales_.data();
  view_.sums = sums_.data();
  return view_;
}

Activations ActivationBuffer::Rows(const float* x, int64_t at, int64_t n, int64_t cols,
                                   bool quantised) const {
  Activations rows;
  rows.n = n;
  rows.cols = cols;
  rows.f32 = x;
  if (!quantised) return rows;
  rows.q8 = q8_.data() + at;
  rows.scales = scales_.data() + at / kQ8Block;
  rows.sums = sums_.data() + at / kQ8Block * kSums;
  return rows;
}

void ActivationBuffer::Quantise(const KernelTable& kernels, const float* x, int64_t at, int64_t n,
                                int64_t cols) {
  FM_CHECK(at % kQ8Block == 0 && cols % kQ8Block == 0);
  FM_CHECK(at + n * cols <= static_cast<int64_t>(q8_.size()));
  kernels.quantize_q8(x, n, cols, q8_.data() + at, scales_.data() + at / kQ8Block,
                      sums_.data() + at / kQ8Block * kSums);
}

void ActivationBuffer::CopyRows(const Activations& all, std::span<const int32_t> rows, int64_t to) {
  const int64_t cols = all.cols;
  const int64_t blocks = cols / kQ8Block;
  FM_CHECK((to + std::ssize(rows)) * cols <= static_cast<int64_t>(f32_.size()));
  for (const int32_t from : rows) {
    if (all.f32 != nullptr) {
      std::memcpy(f32_.data() + to * cols, all.f32 + from * cols, cols * sizeof(float));
    }
    if (all.q8 != nullptr) {
      std::memcpy(q8_.data() + to * cols, all.q8 + from * cols, cols);
      std::memcpy(scales_.data() + to * blocks, all.scales + from * blocks, blocks * sizeof(float));
      std::memcpy(sums_.data() + to * blocks * kSums, all.sums + from * blocks * kSums,
                  blocks * kSums * sizeof(int16_t));
    }
    ++to;
  }
}

Activations ActivationBuffer::Copied(const Activations& all, int64_t first, int64_t n) const {
  const float* floats = all.f32 == nullptr ? nullptr : f32_.data() + first * all.cols;
  return Rows(floats, first * all.cols, n, all.cols, all.q8 != nullptr);
}

void Project(const KernelTable& kernels, ThreadPool& pool, const Activations& x,
             std::span<const Projection> projections) {
  int64_t rows = 0;
  for (const Projection& p : projections) rows += p.w.rows;
  // Small enough that no thread waits long for the last one. Many tokens are laid out anew for each
  // share of the rows.
  const bool many = x.n >= kManyTokens;
  const int64_t share = rows / (pool.threads() * (many ? 4 : 8)) / kRowsTogether * kRowsTogether;
  const int64_t grain = std::clamp<int64_t>(share, kRowsTogether, many ? 256 : 64);
  pool.ParallelFor(rows, grain, [&](int64_t begin, int64_t end) {
    int64_t first = 0;  // of this projection's rows in the joint numbering
    for (const Projection& p : projections) {
      const int64_t from = std::max(begin, first) - first;
      const int64_t to = std::min(end, first + p.w.rows) - first;
      if (from < to) kernels.matmul(p.w, from, to, x, p.y, p.stride);
      first += p.w.rows;
    }
  });
}

}  // namespace flashmoe
