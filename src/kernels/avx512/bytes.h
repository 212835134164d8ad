// 256 weights ("a span") as a byte each, in element order, and their products with int8
// activations, in 512-bit registers with VNNI. The unpack_*.h make the bytes.
#pragma once

#include "kernels/avx512/vector.h"

namespace flashmoe::FM_ISA {

struct Bytes {  // 64 weights
  __m512i v;
};

// What must be added to a byte of LoadSigned and LoadUnsigned to get the weight. Both are unsigned
// here, as dpbusd wants its first factor.
constexpr int kSignedOffset = -128;
constexpr int kUnsignedOffset = 0;

static inline __m512i Load64(const void* p) { return _mm512_loadu_si512(p); }
static inline __m256i Load32(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
static inline __m512i Load32Twice(const void* p) { return _mm512_broadcast_i64x4(Load32(p)); }

static inline Bytes LoadSigned(const void* p) {
  return {_mm512_xor_si512(Load64(p), _mm512_set1_epi8(static_cast<char>(0x80)))};
}
static inline Bytes LoadUnsigned(const void* p) { return {Load64(p)}; }

// Quarter g of v[i] holds partial sums of the 16 elements from 64 i + 16 g on. Lane 4 g + i of the
// result is their total.
static inline __m512i SumsOf16(const __m512i v[4]) {
  const __m512i a =
      _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  const __m512i b =
      _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

// The same where sums of 8 products fit into 16 bits: fewer instructions.
static inline __m512i ShortSumsOf16(const __m512i v[4]) {
  const __m512i ones = _mm512_set1_epi16(1);
  const auto add_pairs = [&](__m512i a, __m512i b) {
    return _mm512_madd_epi16(_mm512_packs_epi32(a, b), ones);
  };
  return add_pairs(add_pairs(v[0], v[1]), add_pairs(v[2], v[3]));
}

// Lane b: the total of block b (32 elements), from sums of 16 in the order of SumsOf16.
static inline __m256i SumsOf32(__m512i v) {
  const __m512i first = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m512i second = _mm512_setr_epi32(4, 12, 5, 13, 6, 14, 7, 15, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm256_add_epi32(_mm512_castsi512_si256(_mm512_permutexvar_epi32(first, v)),
                          _mm512_castsi512_si256(_mm512_permutexvar_epi32(second, v)));
}

// Lane 4 g + i: the sum over 16 elements of q x, as of SumsOf16, for 0 <= q <= kMax.
template <int kMax>
static inline __m512i DotsOf16(const Bytes q[4], const int8_t* x) {
  __m512i v[4];
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), q[i].v, Load64(x + 64 * i));
  }
  return 8 * kMax * 127 <= INT16_MAX ? ShortSumsOf16(v) : SumsOf16(v);
}

// Lane b: the sum over block b (32 elements) of q x; without the offset of LoadSigned.
static inline __m256i DotBytes(const Bytes q[4], const int8_t* x) {
  return SumsOf32(DotsOf16<255>(q, x));
}
template <int kMax>
static inline __m256i DotSmall(const Bytes q[4], const int8_t* x) {
  return SumsOf32(DotsOf16<kMax>(q, x));
}

// Puts 16 scales, a byte each, into the order of SumsOf16.
static inline __m128i ScaleOrder() {
  return _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

// Lane b: the sum over block b of s q x for 0 <= q <= kMax, with a scale s for 16 elements.
template <int kMax>
static inline __m256i DotScaled(const Bytes q[4], __m128i scales, const int8_t* x) {
  const __m512i factors = _mm512_cvtepi8_epi32(_mm_shuffle_epi8(scales, ScaleOrder()));
  return SumsOf32(_mm512_mullo_epi32(DotsOf16<kMax>(q, x), factors));
}

// --- columns: lane r belongs to row r ---

constexpr int64_t kColumnsFrom = 4;             // tokens from which columns pay for their making
constexpr int kTilesAtOnce = 2;                 // of kLanes rows each
constexpr int kFewTokens = 4, kManyTokens = 6;  // that meet columns at once

using Ints = __m512i;  // kLanes of them

static inline Ints AsInts(Vec v) { return _mm512_castps_si512(v.v); }
static inline void StoreInts(void* p, Ints v) { _mm512_storeu_si512(p, v); }
static inline Ints LowNibbles(Ints v) { return _mm512_and_si512(v, _mm512_set1_epi8(0x0f)); }
static inline Ints HighNibbles(Ints v) { return LowNibbles(_mm512_srli_epi16(v, 4)); }
// What LoadSigned makes of them.
static inline Ints AsSigned(Ints v) {
  return _mm512_xor_si512(v, _mm512_set1_epi8(static_cast<char>(0x80)));
}

// Adds the products of four bytes of each row's weights with the same four activations.
template <bool kSmall>
static inline Ints AddQuads(Ints sum, Ints w, const int8_t* x) {
  int32_t four;
  __builtin_memcpy(&four, x, sizeof(four));
  return _mm512_dpbusd_epi32(sum, w, _mm512_set1_epi32(four));
}
static inline Ints ZeroInts() { return _mm512_setzero_si512(); }
static inline Ints SetInts(int32_t x) { return _mm512_set1_epi32(x); }
static inline Ints LoadInts(const void* p) { return Load64(p); }
static inline Ints AddInts(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
// sum + both products of each lane's pair of 16-bit integers.
static inline Ints AddPairs(Ints sum, Ints a, Ints b) { return _mm512_dpwssd_epi32(sum, a, b); }
static inline Ints MulInts(Ints a, Ints b) { return _mm512_mullo_epi32(a, b); }
static inline Vec ToFloats(Ints a) { return {_mm512_cvtepi32_ps(a)}; }

static inline void StoreBytes(uint8_t* p, Bytes b) { _mm512_storeu_si512(p, b.v); }

}  // namespace flashmoe::FM_ISA
