#include "synth/random_rows.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "kernels/kernels.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace flashmoe {
namespace {

using Field = RandomRows::Field;
constexpr size_t kChoices = RandomRows::kChoices;
constexpr size_t kMeasuredBlocks = 256;
// Scales differ from block to block by so much.
constexpr double kScaleLow = 0.7, kScaleHigh = 1.3;

// Where a type keeps the scale of a block, and as what.
struct Scaling {
  enum class Kind : uint8_t {
    kHalf,     // an f16 at `scale`, and one at `low` that is `low_ratio` times as large
    kNibbles,  // an f16 in the top nibbles of the four words at `scale`
    kCodes,    // `codes` bytes at `scale`, each worth value(code)
  };
  Kind kind = Kind::kHalf;
  size_t scale = 0;
  size_t low = 0;
  double low_ratio = 0;  // 0: there is none
  size_t codes = 0;
  int code_min = 0;
  int code_max = 0;
  double (*value)(int code) = nullptr;
};

Scaling Half(size_t scale) { return {.scale = scale}; }

// For integers that count from 0: `low` moves their middle there.
Scaling WithLow(size_t scale, size_t low, double ratio) {
  return {.scale = scale, .low = low, .low_ratio = ratio};
}

Scaling Codes(size_t scale, size_t codes, int code_min, int code_max, double (*value)(int)) {
  return {.kind = Scaling::Kind::kCodes,
          .scale = scale,
          .codes = codes,
          .code_min = code_min,
          .code_max = code_max,
          .value = value};
}

double PowerOfTwo(int code) { return std::ldexp(1.0, code - 127); }
// As good as zero, and yet no product with it is too small to be a normal float, which would make
// engines slow.
constexpr int kLeastPower = 64;

// An unsigned float of 4 bits of exponent and 3 of mantissa.
double Ue4m3(int code) {
  const int exponent = code >> 3, mantissa = code & 7;
  return exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
}

Scaling ScalingOf(DType type) {
  switch (type) {
    case DType::kQ4_1:
      return WithLow(offsetof(BlockQ4_1, d), offsetof(BlockQ4_1, m), -7.5);
    case DType::kQ5_1:
      return WithLow(offsetof(BlockQ5_1, d), offsetof(BlockQ5_1, m), -15.5);
    case DType::kQ2_K:
      return WithLow(offsetof(BlockQ2_K, d), offsetof(BlockQ2_K, dmin), 1.5);
    case DType::kQ4_K:
      return WithLow(offsetof(BlockQ4_K, d), offsetof(BlockQ4_K, dmin), 7.5);
    case DType::kQ5_K:
      return WithLow(offsetof(BlockQ5_K, d), offsetof(BlockQ5_K, dmin), 15.5);
    case DType::kQ3_K:
      return Half(offsetof(BlockQ3_K, d));
    case DType::kQ6_K:
      return Half(offsetof(BlockQ6_K, d));
    case DType::kTQ1_0:
      return Half(offsetof(BlockTQ1_0, d));
    case DType::kTQ2_0:
      return Half(offsetof(BlockTQ2_0, d));
    case DType::kIQ1_M:
      return {.kind = Scaling::Kind::kNibbles, .scale = offsetof(BlockIQ1_M, scales)};
    case DType::kMXFP4:
      return Codes(offsetof(BlockMXFP4, e), sizeof(BlockMXFP4::e), kLeastPower, 254, PowerOfTwo);
    case DType::kNVFP4:
      return Codes(offsetof(BlockNVFP4, d), sizeof(BlockNVFP4::d), 1, 126, Ue4m3);
    default:
      return Half(0);  // all others begin with d
  }
}

void AddFixed(std::vector<Field>& fields, size_t offset, size_t words, uint16_t value) {
  for (size_t i = 0; i < words; ++i) {
    fields.push_back({.offset = offset + 2 * i});
    fields.back().values.fill(value);
  }
}

// Small scales that are unsigned are all the same, 8 or 32, and so are those of the minima.
std::vector<Field> FixedFields(DType type) {
  std::vector<Field> fields;
  if (type == DType::kQ2_K) AddFixed(fields, offsetof(BlockQ2_K, scales), 8, 0x8888);
  if (type == DType::kQ4_K || type == DType::kQ5_K) {
    static_assert(offsetof(BlockQ4_K, scales) == offsetof(BlockQ5_K, scales));
    AddFixed(fields, offsetof(BlockQ4_K, scales), 4, 0xa0a0);
    AddFixed(fields, offsetof(BlockQ4_K, scales) + 8, 2, 0);
  }
  return fields;
}

// Scales whose root mean square is `scale`; all the same if not `varied`. Else every other one is
// negative: integers from -8 to 7 have a mean, and weights with one feed the mean of activations
// back into itself, layer by layer, until nothing else is left of them.
void AddHalves(std::vector<Field>& fields, const Scaling& scaling, double scale, bool varied) {
  const double mean_square =
      (kScaleHigh * kScaleHigh + kScaleHigh * kScaleLow + kScaleLow * kScaleLow) / 3;
  Field whole{.offset = scaling.scale}, low{.offset = scaling.low};
  std::array<Field, 4> nibbles;
  for (size_t choice = 0; choice < kChoices; ++choice) {
    const double part = (static_cast<double>(choice) + 0.5) / kChoices;
    const double size = (kScaleLow + (kScaleHigh - kScaleLow) * part) / std::sqrt(mean_square);
    const double factor = !varied ? 1.0 : choice % 2 == 0 ? size : -size;
    const uint16_t bits = F32ToF16(static_cast<float>(scale * factor));
    whole.values[choice] = bits;
    low.values[choice] = F32ToF16(static_cast<float>(scale * factor * scaling.low_ratio));
    for (size_t i = 0; i < nibbles.size(); ++i) {
      nibbles[i].values[choice] = static_cast<uint16_t>((bits >> 4 * i & 0xf) << 12);
    }
  }
  if (scaling.kind == Scaling::Kind::kHalf) {
    fields.push_back(whole);
    if (scaling.low_ratio != 0) fields.push_back(low);
    return;
  }
  for (size_t i = 0; i < nibbles.size(); ++i) {
    nibbles[i].offset = scaling.scale + 2 * i;
    nibbles[i].mask = 0xf000;
    fields.push_back(nibbles[i]);
  }
}

// The two codes around `scale`, each as often as makes its mean square right.
void AddCodes(std::vector<Field>& fields, const Scaling& scaling, double scale) {
  int code = scaling.code_min;
  while (code + 1 < scaling.code_max && scaling.value(code + 1) <= scale) ++code;
  const double low = scaling.value(code), high = scaling.value(code + 1);
  const double part = (scale * scale - low * low) / (high * high - low * low);
  Field field;
  for (size_t choice = 0; choice < kChoices; ++choice) {
    const bool up = (static_cast<double>(choice) + 0.5) / kChoices < part;
    field.values[choice] = static_cast<uint16_t>((code + (up ? 1 : 0)) * 0x0101);
  }
  for (size_t i = 0; i < scaling.codes; i += 2) {
    field.offset = scaling.scale + i;
    field.mask = i + 1 < scaling.codes ? 0xffff : 0x00ff;
    fields.push_back(field);
  }
}

std::vector<Field> FieldsOf(DType type, double scale, bool varied) {
  std::vector<Field> fields = FixedFields(type);
  const Scaling scaling = ScalingOf(type);
  if (scaling.kind == Scaling::Kind::kCodes) {
    AddCodes(fields, scaling, scale);
  } else {
    AddHalves(fields, scaling, scale, varied);
  }
  return fields;
}

bool IsFloat(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

}  // namespace

RandomRows::RandomRows(DType type, int64_t cols, double size, uint64_t seed)
    : type_(type), row_bytes_(RowBytes(type, cols)), size_(size), seed_(seed) {
  if (IsFloat(type)) return;
  fields_ = FieldsOf(type, 1.0, /*varied=*/false);
  fields_ = FieldsOf(type, size / MeasureSize(), /*varied=*/true);
}

// The root mean square of weights with the fields as they are.
double RandomRows::MeasureSize() const {
  const DTypeInfo& info = GetInfo(type_);
  std::vector<std::byte> bytes(kMeasuredBlocks * static_cast<size_t>(info.block_bytes));
  std::vector<float> weights(kMeasuredBlocks * static_cast<size_t>(info.block_elements));
  FillBlocks(Random(0), bytes);
  const Matrix row{type_, 1, static_cast<int64_t>(weights.size()), bytes.data(),
                   static_cast<int64_t>(bytes.size())};
  ScalarKernels().dequantize_row(row, 0, weights.data());
  double square = 0;
  for (const float w : weights) square += double{w} * w;
  return std::sqrt(square / static_cast<double>(weights.size()));
}

void RandomRows::Fill(int64_t first_row, std::span<std::byte> out) const {
  const auto row_bytes = static_cast<size_t>(row_bytes_);
  if (row_bytes == 0) return;
  FM_CHECK(out.size() % row_bytes == 0);
  for (size_t at = 0; at < out.size(); at += row_bytes, ++first_row) {
    const Random random(seed_, static_cast<uint64_t>(first_row));
    const auto row = out.subspan(at, row_bytes);
    IsFloat(type_) ? FillFloats(random, row) : FillBlocks(random, row);
  }
}

void RandomRows::FillBlocks(Random random, std::span<std::byte> out) const {
  random.Fill(out);
  const auto block_bytes = static_cast<size_t>(GetInfo(type_).block_bytes);
  uint64_t choices = 0;
  size_t left = 0;
  for (size_t at = 0; at < out.size(); at += block_bytes, --left) {
    if (left == 0) {
      choices = random.Next();
      left = sizeof choices;
    }
    const size_t choice = choices % kChoices;
    choices /= kChoices;
    for (const Field& field : fields_) {
      std::byte* place = out.data() + at + field.offset;
      uint16_t word;
      std::memcpy(&word, place, sizeof word);
      word = static_cast<uint16_t>((word & ~field.mask) | field.values[choice]);
      std::memcpy(place, &word, sizeof word);
    }
  }
}

void RandomRows::FillFloats(Random random, std::span<std::byte> out) const {
  const auto bytes = static_cast<size_t>(GetInfo(type_).block_bytes);
  const double bound = size_ * std::sqrt(3.0);
  for (size_t at = 0; at < out.size(); at += bytes) {
    const auto w = static_cast<float>(random.Uniform(-bound, bound));
    if (type_ == DType::kF32) {
      std::memcpy(out.data() + at, &w, sizeof w);
      continue;
    }
    const uint16_t half = type_ == DType::kF16 ? F32ToF16(w) : F32ToBf16(w);
    std::memcpy(out.data() + at, &half, sizeof half);
  }
}

}  // namespace flashmoe
