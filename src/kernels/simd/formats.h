// The integer weight formats as one canonical form: spans of 256 elements, that is 8 blocks of 32
// and 16 groups of 16,
//   w = scale[block] * s[group] * (q + kOffset) + bias[block] * m[group],
// where q is an unsigned byte, or what LoadSigned and LoadUnsigned make of one.
// A Format says how to step along a row and how to unpack a span. Included after unpack_*.h.
#pragma once

#include <cstddef>

#include "kernels/prefetch_distance.h"
#include "tensor/blocks.h"
#include "tensor/matrix.h"

namespace flashmoe::FM_ISA {

constexpr int kSpan = 256;
constexpr int kSpanBlocks = 8;

struct Span {
  Bytes q[4];
  __m256 scale;
  __m256 bias;     // formats with kBias
  __m128i scales;  // with kScalesOf16: s as signed bytes
  __m128i mins;    // with kMinsOf16: m as signed bytes
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

// Where a format keeps the low four bits of elements i and i + 16, or i and i + 32, side by side:
// 16 bytes are the two halves of a block, or a half each of two blocks.
enum class Nibbles { kNone, kHalves, kBlocks };

// What a format is unless it says otherwise.
struct Plain {
  static constexpr int kMax = 127;            // 0 <= q <= kMax; beyond 127 as LoadSigned has it
  static constexpr int kOffset = 0;           // |kOffset| <= 128
  static constexpr bool kScalesOf16 = false;  // s is not 1; then kMax <= 127
  static constexpr bool kBias = false;        // bias is not 0
  static constexpr bool kMinsOf16 = false;    // m is not 1; then kBias
  // Where a block holds its elements as signed bytes; -1: nowhere, they must be unpacked.
  static constexpr int kBytesAt = -1;
  // The same of nibbles, where they are all that an element has.
  static constexpr Nibbles kNibbles = Nibbles::kNone;
};

// Asks for the cache line `ahead` bytes after p; it need not exist. Rows lie one after the other,
// and the hardware's prefetchers stop at every page of 4 KiB, also inside a huge one: asking
// kPrefetchDistance ahead bridges the gap.
static inline void PrefetchAhead(const uint8_t* p, uintptr_t ahead) {
  _mm_prefetch(reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(p) + ahead), _MM_HINT_T0);
}

// GGUF: spans of kBytes, one after the other.
template <int kBytes>
struct Blocks : Plain {
  static inline Row At(const Row& row, int64_t span) {
    Row at = row;
    at.data += span * kBytes;
    return at;
  }
  static inline void Prefetch(const Row& row) {
    for (uintptr_t line = 0; line < kBytes; line += 64) {
      PrefetchAhead(row.data, kPrefetchDistance + line);
    }
  }
  static inline Row Tail(const Row& row, int64_t blocks, TailBytes* tail) {
    static_assert(kBytes <= static_cast<int>(sizeof(tail->data)));
    __builtin_memcpy(tail->data, row.data, static_cast<size_t>(blocks * (kBytes / kSpanBlocks)));
    return {tail->data, nullptr, nullptr, 0, DType::kF32};
  }
};

static inline __m256 BroadcastF16(uint16_t bits) {
  return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

// 16 nibbles, low one first, as bytes.
static inline __m128i NibblesInOrder(const void* p) {
  const __m128i v = _mm_cvtepu8_epi16(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  return _mm_and_si128(_mm_or_si128(v, _mm_slli_epi16(v, 4)), _mm_set1_epi8(0x0f));
}

// The eight nibbles of a word, low one first.
static inline __m256i NibblesOf(uint32_t word) {
  const __m256i shift = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
  return _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int32_t>(word)), shift),
                          _mm256_set1_epi32(15));
}

}  // namespace flashmoe::FM_ISA
