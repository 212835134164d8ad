// Seeded random inputs for the tests and benchmarks of kernel tables.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "base/check.h"
#include "kernels/kernels.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace flashmoe::testing {

using Random = std::mt19937_64;

inline std::vector<float> RandomFloats(Random& random, int64_t n, float deviation = 1.0f) {
  std::normal_distribution<float> normal(0.0f, deviation);
  std::vector<float> out(static_cast<size_t>(n));
  for (float& x : out) x = normal(random);
  return out;
}

// Memory that ends at a page without access, so that a read or write beyond it ends the program,
// also one of the masked and vector loads that sanitizers do not see.
template <typename T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(int64_t n) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = static_cast<size_t>(n) * sizeof(T);
    const size_t usable = (bytes + page - 1) / page * page;
    mapped_ = usable + page;
    void* base = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FM_CHECK(base != MAP_FAILED);
    base_ = static_cast<std::byte*>(base);
    FM_CHECK(mprotect(base_ + usable, page, PROT_NONE) == 0);
    view_ = {reinterpret_cast<T*>(base_ + usable - bytes), static_cast<size_t>(n)};
  }
  explicit Guarded(const std::vector<T>& from) : Guarded(static_cast<int64_t>(from.size())) {
    std::memcpy(data(), from.data(), from.size() * sizeof(T));
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  Guarded(Guarded&& other) noexcept { Swap(other); }
  Guarded& operator=(Guarded&& other) noexcept {
    Swap(other);
    return *this;
  }
  ~Guarded() {
    if (base_ != nullptr) munmap(base_, mapped_);
  }

  T* data() const { return view_.data(); }
  size_t size() const { return view_.size(); }
  std::span<T> view() const { return view_; }
  T& operator[](size_t i) const { return view_[i]; }

 private:
  void Swap(Guarded& other) {
    std::swap(base_, other.base_);
    std::swap(mapped_, other.mapped_);
    std::swap(view_, other.view_);
  }

  std::byte* base_ = nullptr;
  size_t mapped_ = 0;
  std::span<T> view_;
};

// Where a block keeps its half-precision scales: random bytes there would be NaN or huge.
inline std::vector<int> ScaleOffsets(DType type) {
  switch (type) {
    case DType::kQ4_0:
    case DType::kQ5_0:
    case DType::kQ8_0:
    case DType::kIQ1_S:
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
    case DType::kIQ4_NL:
    case DType::kIQ4_XS:
      return {0};
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {0, 2};
    case DType::kQ2_K:
      return {80, 82};
    case DType::kQ3_K:
      return {108};
    case DType::kQ6_K:
      return {208};
    default:
      return {};
  }
}

// A matrix of random weights of about unit size.
class RandomMatrix {
 public:
  RandomMatrix(Random& random, DType type, int64_t rows, int64_t cols, int misalignment = 0,
               int group = 64, DType scale_type = DType::kBF16) {
    const int64_t row_bytes = RowBytes(type, cols);
    bytes_ = Guarded<std::byte>(rows * row_bytes + misalignment);
    for (std::byte& b : bytes_.view()) b = static_cast<std::byte>(random());
    view_ = {type, rows, cols, bytes_.data() + misalignment, row_bytes};
    FixScales(random, misalignment);
    if (MlxBits(type) != 0) MakeGroups(random, misalignment, group, scale_type);
  }

  const Matrix& view() const { return view_; }

  // Replaces every half-precision scale.
  void SetScales(uint16_t bits) {
    const DTypeInfo& info = GetInfo(view_.type);
    std::byte* first = bytes_.data() + (view_.data - bytes_.data());
    for (std::byte* p = first; p < bytes_.data() + bytes_.size(); p += info.block_bytes) {
      for (const int offset : ScaleOffsets(view_.type)) std::memcpy(p + offset, &bits, 2);
    }
  }

 private:
  static uint16_t RandomHalf(Random& random, DType type) {
    const float x = std::normal_distribution<float>(0.0f, 1.0f)(random);
    return type == DType::kBF16 ? F32ToBf16(x) : F32ToF16(x);
  }

  void FixScales(Random& random, int misalignment) {
    const DType type = view_.type;
    std::byte* data = bytes_.data() + misalignment;
    const int64_t size = view_.rows * view_.row_bytes;
    if (type == DType::kF32) {
      FillWith(random, type, data, size / 4);
    } else if (type == DType::kF16 || type == DType::kBF16) {
      FillWith(random, type, data, size / 2);
    }
    const int64_t block_bytes = GetInfo(type).block_bytes;
    for (int64_t at = 0; at < size; at += block_bytes) {
      for (const int offset : ScaleOffsets(type)) {
        const uint16_t half = RandomHalf(random, DType::kF16);
        std::memcpy(data + at + offset, &half, sizeof(half));
      }
      if (type == DType::kMXFP4) data[at] = static_cast<std::byte>(120 + random() % 10);
    }
  }

  static void FillWith(Random& random, DType type, std::byte* data, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      if (type == DType::kF32) {
        const float x = std::normal_distribution<float>(0.0f, 1.0f)(random);
        std::memcpy(data + 4 * i, &x, sizeof(x));
      } else {
        const uint16_t half = RandomHalf(random, type);
        std::memcpy(data + 2 * i, &half, sizeof(half));
      }
    }
  }

  void MakeGroups(Random& random, int misalignment, int group, DType scale_type) {
    const int64_t count = view_.rows * (view_.cols / group);
    const int64_t bytes = count * (scale_type == DType::kF32 ? 4 : 2);
    for (auto* buffer : {&scales_, &biases_}) {
      *buffer = Guarded<std::byte>(bytes + misalignment);
      FillWith(random, scale_type, buffer->data() + misalignment, count);
    }
    view_.scales = scales_.data() + misalignment;
    view_.biases = biases_.data() + misalignment;
    view_.group = group;
    view_.scale_type = scale_type;
  }

  Guarded<std::byte> bytes_, scales_, biases_;
  Matrix view_;
};

// Random activations in both formats.
class RandomActivations {
 public:
  RandomActivations(Random& random, const KernelTable& table, int64_t n, int64_t cols)
      : f32_(RandomFloats(random, n * cols)) {
    view_ = {n, cols, f32_.data()};
    if (cols % 32 != 0) return;
    q8_ = Guarded<int8_t>(n * cols);
    scales_ = Guarded<float>(n * cols / 32);
    sums_ = Guarded<int16_t>(n * cols / 16);
    table.quantize_q8(f32_.data(), n, cols, q8_.data(), scales_.data(), sums_.data());
    view_.q8 = q8_.data();
    view_.scales = scales_.data();
    view_.sums = sums_.data();
  }

  const Activations& view() const { return view_; }

  // Token t alone.
  Activations One(int64_t t) const {
    Activations one = view_;
    one.n = 1;
    one.f32 += t * one.cols;
    if (one.q8 != nullptr) {
      one.q8 += t * one.cols;
      one.scales += t * (one.cols / 32);
      one.sums += t * (one.cols / 16);
    }
    return one;
  }

  // The numbers that a product with this format stands for.
  std::vector<float> Floats(ActivationFormat format) const {
    std::vector<float> out(f32_.data(), f32_.data() + f32_.size());
    if (format == ActivationFormat::kF32) return out;
    for (size_t i = 0; i < out.size(); ++i) out[i] = scales_[i / 32] * static_cast<float>(q8_[i]);
    return out;
  }

 private:
  Guarded<float> f32_, scales_;
  Guarded<int8_t> q8_;
  Guarded<int16_t> sums_;
  Activations view_;
};

}  // namespace flashmoe::testing
