// The integer weight formats as one canonical form: spans of 256 elements, that is 8 blocks of 32,
//   w = scale[block] * (q + kOffset) + bias[block].
// kSmall: q <= 127 as an unsigned byte.
// A Format says how to step along a row and how to unpack a span. Included after bytes.h.
#pragma once

#include "tensor/blocks.h"
#include "tensor/matrix.h"

namespace flashmoe::FM_ISA {

constexpr int kSpan = 256;
constexpr int kSpanBlocks = 8;

struct Span {
  Bytes q[4];
  __m256 scale;
  __m256 bias;                 // formats with kBias
  const int8_t* scales_of_16;  // Q6_K: within `scale`
};

// Where a row's bytes lie, from some span on.
struct Row {
  const uint8_t* data;
  const uint8_t* scales;  // MLX, as are all that follow
  const uint8_t* biases;
  int group;
  DType scale_type;
};

// The last, incomplete span of a row, filled up with zeros: neither the unpacking nor the
// activations' loads may touch what lies beyond the row.
struct TailBytes {
  uint8_t data[kSpan + 16];
  uint8_t scales[32];
  uint8_t biases[32];
};

// --- half-precision scales ---

// Eight f16 that lie `stride` bytes apart, as floats. Integer units collect them while the vector
// units are busy.
static inline __m256 GatherF16(const uint8_t* p, int stride) {
  uint64_t words[2];
  for (int half = 0; half < 2; ++half) {
    words[half] = 0;
    for (int i = 0; i < 4; ++i) {
      uint16_t bits;
      __builtin_memcpy(&bits, p + (4 * half + i) * stride, sizeof(bits));
      words[half] |= static_cast<uint64_t>(bits) << (16 * i);
    }
  }
  return _mm256_cvtph_ps(
      _mm_set_epi64x(static_cast<int64_t>(words[1]), static_cast<int64_t>(words[0])));
}

static inline __m256 BroadcastF16(uint16_t bits) {
  return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

// Asks for the cache line `ahead` bytes after p; it need not exist.
static inline void PrefetchAhead(const uint8_t* p, uintptr_t ahead) {
  _mm_prefetch(reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(p) + ahead), _MM_HINT_T0);
}

// --- GGUF blocks ---

template <int kBytes>
struct Blocks {
  static void Prefetch(const Row&) {}  // one stream, which the hardware follows
  static Row At(const Row& row, int64_t span) {
    Row at = row;
    at.data += span * kBytes;
    return at;
  }
  static Row Tail(const Row& row, int64_t blocks, TailBytes* tail) {
    __builtin_memcpy(tail->data, row.data, static_cast<size_t>(blocks * (kBytes / kSpanBlocks)));
    return {tail->data, nullptr, nullptr, 0, DType::kF32};
  }
};

struct FormatQ4_0 : Blocks<8 * sizeof(BlockQ4_0)> {
  static constexpr bool kSmall = true;
  static constexpr bool kScalesOf16 = false;
  static constexpr bool kBias = false;
  static constexpr int kOffset = -8;
  static inline void Unpack(const Row& row, Span* span) {
    UnpackQ4_0(row.data, span->q);
    span->scale = GatherF16(row.data, sizeof(BlockQ4_0));
  }
  static inline __m256i Dot(const Span& span, const int8_t* x) { return DotSmall(span.q, x); }
};

struct FormatQ8_0 : Blocks<8 * sizeof(BlockQ8_0)> {
  static constexpr bool kSmall = false;
  static constexpr bool kScalesOf16 = false;
  static constexpr bool kBias = false;
  static constexpr int kOffset = kSignedOffset;
  static inline void Unpack(const Row& row, Span* span) {
    UnpackQ8_0(row.data, span->q);
    span->scale = GatherF16(row.data, sizeof(BlockQ8_0));
  }
  static inline __m256i Dot(const Span& span, const int8_t* x) { return DotBytes(span.q, x); }
};

// Scales and minima of Q4_K and Q5_K: 8 times 6 bits each (tensor/blocks.h), four at a time.
static inline void UnpackScalesK(const uint8_t bytes[12], uint16_t d, uint16_t dmin, Span* span) {
  uint32_t word[3];
  __builtin_memcpy(word, bytes, sizeof(word));
  const uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, top = 0x30303030;
  const uint32_t scale_low = word[0] & six;
  const uint32_t scale_high = (word[2] & four) | (word[0] >> 2 & top);
  const uint32_t min_low = word[1] & six;
  const uint32_t min_high = (word[2] >> 4 & four) | (word[1] >> 2 & top);
  const auto floats = [](uint32_t low, uint32_t high) {
    const auto both = static_cast<int64_t>(static_cast<uint64_t>(high) << 32 | low);
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(both)));
  };
  const __m256 minus_dmin = BroadcastF16(static_cast<uint16_t>(dmin ^ 0x8000));
  span->scale = _mm256_mul_ps(BroadcastF16(d), floats(scale_low, scale_high));
  span->bias = _mm256_mul_ps(minus_dmin, floats(min_low, min_high));
}

struct FormatQ4_K : Blocks<sizeof(BlockQ4_K)> {
  static constexpr bool kSmall = true;
  static constexpr bool kScalesOf16 = false;
  static constexpr bool kBias = true;
  static constexpr int kOffset = 0;
  static inline void Unpack(const Row& row, Span* span) {
    const auto* block = reinterpret_cast<const BlockQ4_K*>(row.data);
    UnpackQ4_K(block->qs, span->q);
    UnpackScalesK(block->scales, block->d, block->dmin, span);
  }
  static inline __m256i Dot(const Span& span, const int8_t* x) { return DotSmall(span.q, x); }
};

struct FormatQ5_K : Blocks<sizeof(BlockQ5_K)> {
  static constexpr bool kSmall = true;
  static constexpr bool kScalesOf16 = false;
  static constexpr bool kBias = true;
  static constexpr int kOffset = 0;
  static inline void Unpack(const Row& row, Span* span) {
    const auto* block = reinterpret_cast<const BlockQ5_K*>(row.data);
    UnpackQ5_K(block->qs, block->qh, span->q);
    UnpackScalesK(block->scales, block->d, block->dmin, span);
  }
  static inline __m256i Dot(const Span& span, const int8_t* x) { return DotSmall(span.q, x); }
};

struct FormatQ6_K : Blocks<sizeof(BlockQ6_K)> {
  static constexpr bool kSmall = true;
  static constexpr bool kScalesOf16 = true;
  static constexpr bool kBias = false;
  static constexpr int kOffset = 0;  // DotQ6 has subtracted 32
  static inline void Unpack(const Row& row, Span* span) {
    const auto* block = reinterpret_cast<const BlockQ6_K*>(row.data);
    UnpackQ6_K(block->ql, block->qh, span->q);
    span->scale = BroadcastF16(block->d);
    span->scales_of_16 = block->scales;
  }
  static inline __m256i Dot(const Span& span, const int8_t* x) {
    return DotQ6(span.q, span.scales_of_16, x);
  }
};

// --- MLX: integers, scales and biases in three places ---

// The value of each block's group, from the kSpan / group values at p.
static inline __m256 GroupValues(const uint8_t* p, int group, DType type) {
  const int count = kSpan / group;
  __m256 values;
  if (type == DType::kF32) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes);
    values = _mm256_maskload_ps(reinterpret_cast<const float*>(p), mask);
  } else {
    uint64_t words[2] = {0, 0};
    if (count == 8) {
      __builtin_memcpy(words, p, 16);
    } else if (count == 4) {
      __builtin_memcpy(words, p, 8);
    } else {
      __builtin_memcpy(words, p, 4);
    }
    const __m128i halves =
        _mm_set_epi64x(static_cast<int64_t>(words[1]), static_cast<int64_t>(words[0]));
    values = type == DType::kF16
                 ? _mm256_cvtph_ps(halves)
                 : _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }
  // Lane b takes value 32 b / group.
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m128i shift = _mm_cvtsi32_si128(group == 32 ? 0 : group == 64 ? 1 : 2);
  return _mm256_permutevar8x32_ps(values, _mm256_srl_epi32(lanes, shift));
}

template <int kBits>
struct FormatMlx {
  static constexpr bool kSmall = kBits < 8;
  static constexpr bool kScalesOf16 = false;
  static constexpr bool kBias = true;
  static constexpr int kOffset = kBits == 8 ? kUnsignedOffset : 0;

  // Three streams of different speeds are more than the hardware keeps up with.
  static void Prefetch(const Row& row) {
    constexpr uintptr_t kAhead = 2048, kSpanBytes = kSpan * kBits / 8;
    for (uintptr_t line = 0; line < kSpanBytes; line += 64) PrefetchAhead(row.data, kAhead + line);
    PrefetchAhead(row.scales, kAhead / 8);
    PrefetchAhead(row.biases, kAhead / 8);
  }
  static int64_t ScaleBytes(const Row& row, int64_t elements) {
    return elements / row.group * (row.scale_type == DType::kF32 ? 4 : 2);
  }
  static Row At(const Row& row, int64_t span) {
    const int64_t scale_bytes = ScaleBytes(row, span * kSpan);
    return {row.data + span * (kSpan * kBits / 8), row.scales + scale_bytes,
            row.biases + scale_bytes, row.group, row.scale_type};
  }
  static Row Tail(const Row& row, int64_t blocks, TailBytes* tail) {
    const auto scale_bytes = static_cast<size_t>(ScaleBytes(row, blocks * 32));
    __builtin_memcpy(tail->data, row.data, static_cast<size_t>(blocks * 32 * kBits / 8));
    __builtin_memcpy(tail->scales, row.scales, scale_bytes);
    __builtin_memcpy(tail->biases, row.biases, scale_bytes);
    return {tail->data, tail->scales, tail->biases, row.group, row.scale_type};
  }
  static inline void Unpack(const Row& row, Span* span) {
    if constexpr (kBits == 4) {
      UnpackMlx4(row.data, span->q);
    } else {
      for (int i = 0; i < 4; ++i) span->q[i] = LoadUnsigned(row.data + 64 * i);
    }
    span->scale = GroupValues(row.scales, row.group, row.scale_type);
    span->bias = GroupValues(row.biases, row.group, row.scale_type);
  }
  static inline __m256i Dot(const Span& span, const int8_t* x) {
    return kBits == 4 ? DotSmall(span.q, x) : DotBytes(span.q, x);
  }
};

}  // namespace flashmoe::FM_ISA
