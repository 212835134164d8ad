#include "measure/kernel_speed.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/bandwidth.h"
#include "base/clock.h"
#include "base/huge_vector.h"
#include "base/memory.h"
#include "model/linear.h"
#include "synth/random_rows.h"

namespace flashmoe {
namespace {

constexpr int64_t kMatrixBytes = 64 << 20;  // of a larger matrix, so much is as fast
constexpr int kSweeps = 4;
constexpr int64_t kTogether = 8;  // at most, that one token meets in a job
constexpr double kManySeconds = 0.03;
constexpr double kPeakSeconds = 0.1;
constexpr int64_t kPeakRounds = 20000;  // a few milliseconds at most
constexpr int32_t kMlxGroup = 64;

// As many equal matrices as fit into `bytes`; of random weights, a few rows repeated.
class EqualMatrices {
 public:
  static Result<EqualMatrices> Make(DType type, int64_t rows, int64_t cols, uint64_t bytes) {
    EqualMatrices w;
    w.shape_ = {type, rows, cols, nullptr, RowBytes(type, cols)};
    if (MlxBits(type) != 0) w.shape_.group = kMlxGroup;
    w.count_ = std::max<int64_t>(1, static_cast<int64_t>(bytes) / w.matrix_bytes());
    FM_ASSIGN_OR_RETURN(
        w.memory_, Memory::Allocate(static_cast<uint64_t>(w.count_ * rows * w.shape_.row_bytes)));
    // Scales and biases of 2^-7: sizes do not matter, as long as they are numbers.
    w.scales_.assign(static_cast<size_t>(w.count_ * w.scale_bytes() / 2), 0x3c00);
    w.FillRows();
    return w;
  }

  int64_t count() const { return count_; }
  int64_t matrix_bytes() const { return shape_.rows * shape_.row_bytes + scale_bytes(); }
  Matrix At(int64_t i) const {
    Matrix m = shape_;
    m.data = memory_.data() + i * shape_.rows * shape_.row_bytes;
    if (m.group != 0) {
      m.scales = reinterpret_cast<const std::byte*>(scales_.data()) + i * scale_bytes();
      m.biases = m.scales + scale_bytes() / 2;
    }
    return m;
  }

 private:
  // Of a matrix, its biases among them.
  int64_t scale_bytes() const {
    return shape_.group == 0 ? 0 : 4 * shape_.rows * shape_.cols / shape_.group;
  }

  void FillRows() {
    const auto row = static_cast<size_t>(shape_.row_bytes);
    const std::span<std::byte> all = memory_.span();
    const std::span<std::byte> few = all.first(std::min<size_t>(64 * row, all.size()));
    if (MlxBits(shape_.type) != 0) {
      Random random(1);
      for (std::byte& byte : few) byte = static_cast<std::byte>(random.Next());
    } else {
      RandomRows(shape_.type, shape_.cols, 0.02, 1).Fill(0, few);
    }
    for (size_t at = few.size(); at < all.size(); at += few.size()) {
      std::memcpy(all.data() + at, few.data(), std::min(few.size(), all.size() - at));
    }
  }

  Matrix shape_;
  int64_t count_ = 0;
  Memory memory_;
  HugeVector<uint16_t> scales_;
};

}  // namespace

double KernelSpeed::peak_products_per_s() const {
  return *std::max_element(products_per_s.begin(), products_per_s.end());
}

double KernelSpeed::ProductsPerSecond(double n) const {
  const auto at = [&](size_t i) { return static_cast<double>(tokens[i]); };
  if (n <= at(0)) return products_per_s[0] * std::max(n, 1.0) / at(0);
  for (size_t i = 1; i < tokens.size(); ++i) {
    if (n > at(i)) continue;
    const double part = std::log(n / at(i - 1)) / std::log(at(i) / at(i - 1));
    return products_per_s[i - 1] + part * (products_per_s[i] - products_per_s[i - 1]);
  }
  return products_per_s.back();
}

Result<KernelSpeed> MeasureKernel(DType type, int64_t all_rows, int64_t cols,
                                  const KernelTable& kernels, ThreadPool& pool,
                                  std::vector<int64_t> tokens, uint64_t bytes) {
  const int64_t most_bytes = std::min(kMatrixBytes, static_cast<int64_t>(bytes));
  const int64_t rows = std::min(all_rows, std::max<int64_t>(1, most_bytes / RowBytes(type, cols)));
  FM_ASSIGN_OR_RETURN(const EqualMatrices weights,
                      EqualMatrices::Make(type, rows, cols, MeasuringBytes(bytes)));
  const int64_t most = tokens.back();
  HugeVector<float> x(static_cast<size_t>(most * cols));
  HugeVector<float> y(static_cast<size_t>(std::max(most, kTogether) * rows));
  Random random(2);
  for (float& value : x) value = static_cast<float>(random.Normal());
  ActivationBuffer buffer(most, cols, /*gathers=*/false);
  const std::array types = {type};
  // Matrices from `first` on, in one job.
  std::vector<Projection> job;
  const auto multiply = [&](int64_t first, int64_t matrices, const Activations& inputs) {
    job.clear();
    for (int64_t i = first; i < std::min(first + matrices, weights.count()); ++i) {
      job.push_back({weights.At(i), y.data() + (i - first) * rows, rows});
    }
    Project(kernels, pool, inputs, job);
  };

  KernelSpeed speed;
  speed.type = type;
  speed.tokens = std::move(tokens);
  const Activations& one = buffer.Set(kernels, pool, x.data(), 1, cols, types);
  double best_s = 1e9;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    const double start_s = NowSeconds();
    for (int64_t i = 0; i < weights.count(); i += kTogether) multiply(i, kTogether, one);
    best_s = std::min(best_s, NowSeconds() - start_s);
  }
  speed.bytes_per_s = static_cast<double>(weights.count() * weights.matrix_bytes()) / best_s;

  for (const int64_t n : speed.tokens) {
    const Activations& inputs = buffer.Set(kernels, pool, x.data(), n, cols, types);
    best_s = 1e9;
    const double begin_s = NowSeconds();
    for (int64_t round = 0; round < 2 || NowSeconds() - begin_s < kManySeconds; ++round) {
      const double start_s = NowSeconds();
      multiply(round % weights.count(), 1, inputs);
      best_s = std::min(best_s, NowSeconds() - start_s);
    }
    speed.products_per_s.push_back(static_cast<double>(n * rows * cols) / best_s);
  }
  return speed;
}

double MeasurePeak(const PeakLoop& loop, ThreadPool& pool) {
  if (loop.run == nullptr) return 0;
  const int64_t threads = pool.threads();
  std::vector<int64_t> done(static_cast<size_t>(threads));
  double best = 0;
  const double begin_s = NowSeconds();
  while (NowSeconds() - begin_s < kPeakSeconds) {
    const double start_s = NowSeconds();
    pool.ParallelFor(threads, 1, [&](int64_t i, int64_t) {
      done[static_cast<size_t>(i)] = loop.run(kPeakRounds);
    });
    const auto products =
        static_cast<double>(std::accumulate(done.begin(), done.end(), int64_t{0}));
    best = std::max(best, products / (NowSeconds() - start_s));
  }
  return best;
}

}  // namespace flashmoe
