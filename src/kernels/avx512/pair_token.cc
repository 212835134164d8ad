// One token times weights of two to five bits with small scales, two rows at a time. Once a span is
// multiplied, what follows (adding up its blocks, scales, minima) fills half a register a row; with
// few bits a weight that is most of the work. Sums are of integers and floats follow in the same
// order, hence the same bits as MatmulInt's.
#include "kernels/avx512/unpack_32.h"
#include "kernels/avx512/unpack_k.h"
#include "kernels/simd/formats_k.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/reduce.h"
#include "kernels/simd/tokens.h"

namespace flashmoe::FM_ISA {
namespace {

inline __m128i Load16(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
// The first row's in the lower half.
inline __m256i JoinLoaded(const void* first, const void* second) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(Load16(first)), Load16(second), 1);
}

// Lane 8 r + b: the total of block b of row r, from sums of 16 in the order of SumsOf16.
inline __m512i BlocksOfPair(__m512i first, __m512i second) {
  const __m512i even = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 16, 24, 17, 25, 18, 26, 19, 27);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(4));
  return _mm512_add_epi32(_mm512_permutex2var_epi32(first, even, second),
                          _mm512_permutex2var_epi32(first, odd, second));
}

// Lane 8 r + b: the sum over block b of row r of s q x, for 0 <= q <= kMax; scales as bytes.
template <int kMax>
inline __m512i DotScaledPair(const Bytes first[4], const Bytes second[4], __m256i scales,
                             const int8_t* x) {
  const __m256i ordered = _mm256_shuffle_epi8(scales, _mm256_broadcastsi128_si256(ScaleOrder()));
  const auto scaled = [&](const Bytes q[4], __m128i factors) {
    return _mm512_mullo_epi32(DotsOf16<kMax>(q, x), _mm512_cvtepi8_epi32(factors));
  };
  return BlocksOfPair(scaled(first, _mm256_castsi256_si128(ordered)),
                      scaled(second, _mm256_extracti128_si256(ordered, 1)));
}

// Lane 8 r + b: the sum over the two halves of block b of s times the sum of x there.
inline __m512i SumsPair(__m512i scales_of_16, const Token& x) {
  return _mm512_madd_epi16(Load32Twice(x.sums), scales_of_16);
}

struct PairQ2_K {
  using Block = BlockQ2_K;
  static inline __m512 Values(const Block* first, const Block* second, const Token& x) {
    Bytes a[4], b[4];
    UnpackQ2_K(first->qs, a);
    UnpackQ2_K(second->qs, b);
    const __m256i both = JoinLoaded(first->scales, second->scales);
    const __m256i low = _mm256_set1_epi8(0x0f);
    const __m512i dots = DotScaledPair<FormatQ2_K::kMax>(a, b, _mm256_and_si256(both, low), x.q8);
    const __m256i mins = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
    const __m512i weighted = SumsPair(_mm512_cvtepi8_epi16(mins), x);

    // d and dmin of a row in turn.
    int32_t words[2];
    __builtin_memcpy(&words[0], &first->d, sizeof(words[0]));
    __builtin_memcpy(&words[1], &second->d, sizeof(words[1]));
    const __m512 factors =
        _mm512_cvtph_ps(_mm256_mask_set1_epi32(_mm256_set1_epi32(words[0]), 0xf0, words[1]));
    const __m512 bias = _mm512_mul_ps(_mm512_cvtepi32_ps(weighted), _mm512_movehdup_ps(factors));
    return _mm512_fmsub_ps(_mm512_cvtepi32_ps(dots), _mm512_moveldup_ps(factors), bias);
  }
};

struct PairQ3_K {
  using Block = BlockQ3_K;
  static inline __m512 Values(const Block* first, const Block* second, const Token& x) {
    Bytes a[4], b[4];
    UnpackQ3_K(first->qs, first->hmask, a);
    UnpackQ3_K(second->qs, second->hmask, b);
    // Two bytes of qs, twelve of scales, and d: no more than the block has.
    static_assert(offsetof(Block, d) == offsetof(Block, scales) + 12);
    const auto end_of = [](const Block* block) {
      return reinterpret_cast<const uint8_t*>(block) + offsetof(Block, scales) - 2;
    };
    const __m256i both = JoinLoaded(end_of(first), end_of(second));
    const __m256i scales = Scales(both);
    const __m512i wide = _mm512_cvtepi8_epi16(scales);
    const __m512i offsets = SumsPair(_mm512_mullo_epi16(wide, _mm512_set1_epi16(kOffset)), x);
    const __m512i dots =
        _mm512_add_epi32(DotScaledPair<FormatQ3_K::kMax>(a, b, scales, x.q8), offsets);
    const __m512 d = _mm512_cvtph_ps(_mm256_shuffle_epi8(both, _mm256_set1_epi16(0x0f0e)));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(dots), d);
  }

 private:
  static constexpr int16_t kOffset = FormatQ3_K::kOffset;

  static inline __m256i Scales(__m256i both) {
    const auto twice = [](__m128i v) { return _mm256_broadcastsi128_si256(v); };
    const __m256i nibbles = _mm256_shuffle_epi8(
        both, twice(_mm_setr_epi8(2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9)));
    const __m256i low = _mm256_and_si256(_mm256_srlv_epi64(nibbles, twice(_mm_set_epi64x(4, 0))),
                                         _mm256_set1_epi8(0x0f));
    // Bits 0, 2, 4, 6 on to bit 4.
    const __m256i tops = _mm256_rorv_epi32(_mm256_shuffle_epi8(both, _mm256_set1_epi32(0x0d0c0b0a)),
                                           twice(_mm_setr_epi32(28, 30, 0, 2)));
    const __m256i six = _mm256_or_si256(low, _mm256_and_si256(tops, _mm256_set1_epi8(0x30)));
    return _mm256_sub_epi8(six, _mm256_set1_epi8(32));
  }
};

// Of Q4_K and Q5_K, whose scales and minima are six bits each (tensor/blocks.h).
struct ScalesK {
  __m512 scale, min;

  template <class Block>
  static inline ScalesK Of(const Block* first, const Block* second) {
    static_assert(offsetof(Block, d) == 0 && offsetof(Block, scales) == 4);
    const __m256i both = JoinLoaded(first, second);  // of each: d and dmin, then three words
    const __m256i low = _mm256_and_si256(
        _mm256_srlv_epi32(_mm256_shuffle_epi32(both, _MM_SHUFFLE(3, 2, 3, 1)), Words(0, 0, 0, 4)),
        Words(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f));
    const __m256i top =
        _mm256_and_si256(_mm256_srli_epi32(_mm256_shuffle_epi32(both, _MM_SHUFFLE(2, 2, 1, 1)), 2),
                         Words(0, 0x30303030, 0, 0x30303030));
    const __m256i six = _mm256_or_si256(low, top);  // of each: eight scales, eight minima
    const __m512 factors = _mm512_cvtph_ps(_mm256_shuffle_epi32(both, 0));  // d and dmin in turn
    const auto floats = [](__m256i bytes) {
      return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm256_castsi256_si128(bytes)));
    };
    return {_mm512_mul_ps(_mm512_moveldup_ps(factors),
                          floats(_mm256_permute4x64_epi64(six, _MM_SHUFFLE(2, 0, 2, 0)))),
            _mm512_mul_ps(_mm512_movehdup_ps(factors),
                          floats(_mm256_permute4x64_epi64(six, _MM_SHUFFLE(3, 1, 3, 1))))};
  }

 private:
  static inline __m256i Words(int a, int b, int c, int d) {
    return _mm256_broadcastsi128_si256(_mm_setr_epi32(a, b, c, d));
  }
};

template <int kMax, class Block>
inline __m512 ValuesK(const Bytes a[4], const Bytes b[4], const Block* first, const Block* second,
                      const Token& x) {
  const ScalesK of = ScalesK::Of(first, second);
  const __m512i dots = BlocksOfPair(DotsOf16<kMax>(a, x.q8), DotsOf16<kMax>(b, x.q8));
  const __m512 weighted = _mm512_cvtepi32_ps(SumsPair(_mm512_set1_epi16(1), x));
  return _mm512_fmsub_ps(_mm512_cvtepi32_ps(dots), of.scale, _mm512_mul_ps(weighted, of.min));
}

struct PairQ4_K {
  using Block = BlockQ4_K;
  static inline __m512 Values(const Block* first, const Block* second, const Token& x) {
    Bytes a[4], b[4];
    UnpackQ4_K(first->qs, a);
    UnpackQ4_K(second->qs, b);
    return ValuesK<FormatQ4_K::kMax>(a, b, first, second, x);
  }
};

struct PairQ5_K {
  using Block = BlockQ5_K;
  static inline __m512 Values(const Block* first, const Block* second, const Token& x) {
    Bytes a[4], b[4];
    UnpackQ5_K(first->qs, first->qh, a);
    UnpackQ5_K(second->qs, second->qh, b);
    return ValuesK<FormatQ5_K::kMax>(a, b, first, second, x);
  }
};

// Rows of these types are whole spans.
template <class Pair>
[[gnu::flatten]] void MatmulPairs(const Matrix& w, int64_t begin, int64_t end, const Activations& x,
                                  float* y, int64_t y_stride) {
  using Block = typename Pair::Block;
  const Token token = TokenAt(x, 0);
  const int64_t spans = w.cols / kSpan;
  int64_t r = begin;
  for (; r + 2 <= end; r += 2) {
    const auto* first = reinterpret_cast<const Block*>(RowAt(w, r).data);
    const auto* second = reinterpret_cast<const Block*>(RowAt(w, r + 1).data);
    __m512 acc = _mm512_setzero_ps();
    for (int64_t s = 0; s < spans; ++s) {
      // In the order of memory, not of their use: one stream.
      for (uintptr_t line = 0; line < 2 * sizeof(Block); line += 64) {
        PrefetchAhead(reinterpret_cast<const uint8_t*>(first + 2 * s), kPrefetchDistance + line);
      }
      const Token at = {token.q8 + s * kSpan, token.scales + s * kSpanBlocks,
                        token.sums + 2 * s * kSpanBlocks};
      const __m512 scales = _mm512_broadcast_f32x8(_mm256_loadu_ps(at.scales));
      acc = _mm512_fmadd_ps(Pair::Values(first + s, second + s, at), scales, acc);
    }
    y[r] = Sum8(_mm512_castps512_ps256(acc));
    y[r + 1] = Sum8(_mm512_extractf32x8_ps(acc, 1));
  }
  if (r < end) MatmulK(w.type)(w, r, end, x, y, y_stride);
}

}  // namespace

MatmulFn MatmulPairToken(DType type) {
  switch (type) {
    case DType::kQ2_K:
      return MatmulPairs<PairQ2_K>;
    case DType::kQ3_K:
      return MatmulPairs<PairQ3_K>;
    case DType::kQ4_K:
      return MatmulPairs<PairQ4_K>;
    case DType::kQ5_K:
      return MatmulPairs<PairQ5_K>;
    default:
      return nullptr;
  }
}

}  // namespace flashmoe::FM_ISA
