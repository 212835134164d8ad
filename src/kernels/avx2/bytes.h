// 256 weights ("a span") as a byte each, in element order, and their products with int8
// activations, in 256-bit registers. The unpack_*.h make the bytes.
#pragma once

#include "kernels/avx2/vector.h"

namespace flashmoe::avx2 {

struct Bytes {  // 64 weights
  __m256i lo, hi;
};

// What must be added to a byte of LoadSigned and LoadUnsigned to get the weight. Both are signed
// here, since maddubs saturates on two products of unsigned bytes beyond 127.
constexpr int kSignedOffset = 0;
constexpr int kUnsignedOffset = 128;

static inline __m256i Load32(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

// 32 bits as bytes of all ones or zeros.
static inline __m256i BytesOfBits(const uint8_t* p) {
  int32_t bits;
  __builtin_memcpy(&bits, p, sizeof(bits));
  const __m256i eight_of_each =
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), eight_of_each);
  return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
}

static inline Bytes LoadSigned(const void* p) {
  return {Load32(p), Load32(static_cast<const char*>(p) + 32)};
}
static inline Bytes LoadUnsigned(const void* p) {
  const __m256i top = _mm256_set1_epi8(static_cast<char>(0x80));
  const Bytes b = LoadSigned(p);
  return {_mm256_xor_si256(b.lo, top), _mm256_xor_si256(b.hi, top)};
}

// Lane b is the sum of v[b].
static inline __m256i Sums(const __m256i v[8]) {
  const __m256i s0123 =
      _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
  const __m256i s4567 =
      _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(s0123, s4567, 0x20),
                          _mm256_permute2x128_si256(s0123, s4567, 0x31));
}

// The same where sums of 8 products fit into 16 bits: fewer instructions.
static inline __m256i ShortSums(const __m256i v[8]) {
  const __m256i ones = _mm256_set1_epi16(1);
  const auto add_pairs = [&](__m256i a, __m256i b) {
    return _mm256_madd_epi16(_mm256_packs_epi32(a, b), ones);
  };
  const __m256i s0123 = add_pairs(add_pairs(v[0], v[1]), add_pairs(v[2], v[3]));
  const __m256i s4567 = add_pairs(add_pairs(v[4], v[5]), add_pairs(v[6], v[7]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(s0123, s4567, 0x20),
                          _mm256_permute2x128_si256(s0123, s4567, 0x31));
}

// Lane b: the sum over block b (32 elements) of q x, for 0 <= q <= kMax.
template <int kMax>
static inline __m256i DotSmall(const Bytes q[4], const int8_t* x) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i v[8];
  for (int i = 0; i < 4; ++i) {
    v[2 * i] = _mm256_madd_epi16(_mm256_maddubs_epi16(q[i].lo, Load32(x + 64 * i)), ones);
    v[2 * i + 1] = _mm256_madd_epi16(_mm256_maddubs_epi16(q[i].hi, Load32(x + 64 * i + 32)), ones);
  }
  return 8 * kMax * 127 <= INT16_MAX ? ShortSums(v) : Sums(v);
}

// The same for what LoadSigned and LoadUnsigned made, still without their offset: |q| times x with
// the sign of q.
static inline __m256i DotBytes(const Bytes q[4], const int8_t* x) {
  const __m256i ones = _mm256_set1_epi16(1);
  const auto dot = [&](__m256i w, __m256i y) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(y, w));
    return _mm256_madd_epi16(pairs, ones);
  };
  __m256i v[8];
  for (int i = 0; i < 4; ++i) {
    v[2 * i] = dot(q[i].lo, Load32(x + 64 * i));
    v[2 * i + 1] = dot(q[i].hi, Load32(x + 64 * i + 32));
  }
  return Sums(v);
}

// Lane b: the sum over block b of s q x for 0 <= q <= 127, with a scale s for 16 elements. A
// smaller kMax makes no difference here.
template <int kMax>
static inline __m256i DotScaled(const Bytes q[4], __m128i scales, const int8_t* x) {
  const __m128i eight_of_two = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  __m256i v[8];
  for (int b = 0; b < 8; ++b) {
    const __m256i w = b % 2 == 0 ? q[b / 2].lo : q[b / 2].hi;
    const __m128i index = _mm_add_epi8(eight_of_two, _mm_set1_epi8(static_cast<char>(2 * b)));
    const __m256i factors = _mm256_cvtepi8_epi16(_mm_shuffle_epi8(scales, index));
    v[b] = _mm256_madd_epi16(_mm256_maddubs_epi16(w, Load32(x + 32 * b)), factors);
  }
  return Sums(v);
}

// --- columns: lane r belongs to row r ---

constexpr int64_t kColumnsFrom = 12;            // tokens from which columns pay for their making
constexpr int kTilesAtOnce = 1;                 // of kLanes rows each
constexpr int kFewTokens = 4, kManyTokens = 4;  // that meet columns at once

using Ints = __m256i;  // kLanes of them

static inline Ints AsInts(Vec v) { return _mm256_castps_si256(v.v); }
static inline void StoreInts(void* p, Ints v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
static inline Ints LowNibbles(Ints v) { return _mm256_and_si256(v, _mm256_set1_epi8(0x0f)); }
static inline Ints HighNibbles(Ints v) { return LowNibbles(_mm256_srli_epi16(v, 4)); }
static inline Ints AsSigned(Ints v) { return v; }  // as LoadSigned has them

// Adds the products of four bytes of each row's weights with the same four activations.
template <bool kSmall>
static inline Ints AddQuads(Ints sum, Ints w, const int8_t* x) {
  int32_t four;
  __builtin_memcpy(&four, x, sizeof(four));
  __m256i y = _mm256_set1_epi32(four);
  if constexpr (!kSmall) {
    y = _mm256_sign_epi8(y, w);
    w = _mm256_abs_epi8(w);
  }
  const __m256i products = _mm256_madd_epi16(_mm256_maddubs_epi16(w, y), _mm256_set1_epi16(1));
  return _mm256_add_epi32(sum, products);
}
static inline Ints ZeroInts() { return _mm256_setzero_si256(); }
static inline Ints SetInts(int32_t x) { return _mm256_set1_epi32(x); }
static inline Ints LoadInts(const void* p) { return Load32(p); }
static inline Ints AddInts(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
// sum + both products of each lane's pair of 16-bit integers.
static inline Ints AddPairs(Ints sum, Ints a, Ints b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
static inline Ints MulInts(Ints a, Ints b) { return _mm256_mullo_epi32(a, b); }
static inline Vec ToFloats(Ints a) { return {_mm256_cvtepi32_ps(a)}; }

static inline void StoreBytes(uint8_t* p, Bytes b) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), b.lo);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), b.hi);
}

}  // namespace flashmoe::avx2
