// Unpacks 256 quantised weights ("a span") to one byte each, in element order, and multiplies them
// with 256 int8 activations, in 256-bit registers.
#pragma once

#include "kernels/avx2/vector.h"
#include "tensor/blocks.h"

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
static inline __m256i Load16Twice(const void* p) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}

static inline Bytes LoadSigned(const void* p) {
  return {Load32(p), Load32(static_cast<const char*>(p) + 32)};
}
static inline Bytes LoadUnsigned(const void* p) {
  const __m256i top = _mm256_set1_epi8(static_cast<char>(0x80));
  const Bytes b = LoadSigned(p);
  return {_mm256_xor_si256(b.lo, top), _mm256_xor_si256(b.hi, top)};
}

static inline void UnpackQ8_0(const uint8_t* p, Bytes q[4]) {
  const auto* block = reinterpret_cast<const BlockQ8_0*>(p);
  for (int i = 0; i < 4; ++i) q[i] = {Load32(block[2 * i].qs), Load32(block[2 * i + 1].qs)};
}

// 16 bytes: low nibbles, then high nibbles.
static inline __m256i Nibbles16(const void* p) {
  const __m256i shift = _mm256_setr_epi64x(0, 0, 4, 4);
  return _mm256_and_si256(_mm256_srlv_epi64(Load16Twice(p), shift), _mm256_set1_epi8(0x0f));
}
static inline void UnpackQ4_0(const uint8_t* p, Bytes q[4]) {
  const auto* block = reinterpret_cast<const BlockQ4_0*>(p);
  for (int i = 0; i < 4; ++i) q[i] = {Nibbles16(block[2 * i].qs), Nibbles16(block[2 * i + 1].qs)};
}

static inline void UnpackQ4_K(const uint8_t* qs, Bytes q[4]) {
  const __m256i low = _mm256_set1_epi8(0x0f);
  for (int i = 0; i < 4; ++i) {
    const __m256i v = Load32(qs + 32 * i);
    q[i] = {_mm256_and_si256(v, low), _mm256_and_si256(_mm256_srli_epi16(v, 4), low)};
  }
}

static inline void UnpackQ5_K(const uint8_t* qs, const uint8_t* qh, Bytes q[4]) {
  UnpackQ4_K(qs, q);
  const __m256i fifth = _mm256_set1_epi8(0x10);
  const __m256i h = Load32(qh);  // bit b belongs to block b
  const __m256i bit[8] = {_mm256_slli_epi16(h, 4),
                          _mm256_slli_epi16(h, 3),
                          _mm256_slli_epi16(h, 2),
                          _mm256_slli_epi16(h, 1),
                          h,
                          _mm256_srli_epi16(h, 1),
                          _mm256_srli_epi16(h, 2),
                          _mm256_srli_epi16(h, 3)};
  for (int i = 0; i < 4; ++i) {
    q[i].lo = _mm256_or_si256(q[i].lo, _mm256_and_si256(bit[2 * i], fifth));
    q[i].hi = _mm256_or_si256(q[i].hi, _mm256_and_si256(bit[2 * i + 1], fifth));
  }
}

static inline void UnpackQ6_K(const uint8_t* ql, const uint8_t* qh, Bytes q[4]) {
  const __m256i low = _mm256_set1_epi8(0x0f), high = _mm256_set1_epi8(0x30);
  for (int half = 0; half < 2; ++half) {
    const __m256i a = Load32(ql + 64 * half), b = Load32(ql + 64 * half + 32);
    const __m256i h = Load32(qh + 32 * half);
    const auto join = [&](__m256i four, __m256i two) {
      return _mm256_or_si256(_mm256_and_si256(four, low), _mm256_and_si256(two, high));
    };
    q[2 * half] = {join(a, _mm256_slli_epi16(h, 4)), join(b, _mm256_slli_epi16(h, 2))};
    q[2 * half + 1] = {join(_mm256_srli_epi16(a, 4), h),
                       join(_mm256_srli_epi16(b, 4), _mm256_srli_epi16(h, 2))};
  }
}

// Byte k holds elements 2 k and 2 k + 1.
static inline void UnpackMlx4(const uint8_t* p, Bytes q[4]) {
  const auto spread = [](const uint8_t* bytes) {
    const __m256i wide =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
    return _mm256_and_si256(_mm256_or_si256(wide, _mm256_slli_epi16(wide, 4)),
                            _mm256_set1_epi8(0x0f));
  };
  for (int i = 0; i < 4; ++i) q[i] = {spread(p + 32 * i), spread(p + 32 * i + 16)};
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

// Lane b: the sum over block b (32 elements) of q x, for 0 <= q <= 127.
static inline __m256i DotSmall(const Bytes q[4], const int8_t* x) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i v[8];
  for (int i = 0; i < 4; ++i) {
    v[2 * i] = _mm256_madd_epi16(_mm256_maddubs_epi16(q[i].lo, Load32(x + 64 * i)), ones);
    v[2 * i + 1] = _mm256_madd_epi16(_mm256_maddubs_epi16(q[i].hi, Load32(x + 64 * i + 32)), ones);
  }
  return Sums(v);
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

// Lane b: the sum over block b of s (q - 32) x for 0 <= q <= 63, with a scale for 16 elements.
static inline __m256i DotQ6(const Bytes q[4], const int8_t scales[16], const int8_t* x) {
  const __m256i offset = _mm256_set1_epi8(32);
  const __m128i s = _mm_loadu_si128(reinterpret_cast<const __m128i*>(scales));
  const __m128i eight_of_two = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  __m256i v[8];
  for (int b = 0; b < 8; ++b) {
    const __m256i w = b % 2 == 0 ? q[b / 2].lo : q[b / 2].hi;
    const __m256i y = Load32(x + 32 * b);
    const __m256i pairs =
        _mm256_sub_epi16(_mm256_maddubs_epi16(w, y), _mm256_maddubs_epi16(offset, y));
    const __m128i index = _mm_add_epi8(eight_of_two, _mm_set1_epi8(static_cast<char>(2 * b)));
    v[b] = _mm256_madd_epi16(pairs, _mm256_cvtepi8_epi16(_mm_shuffle_epi8(s, index)));
  }
  return Sums(v);
}

// --- tiles: lane r belongs to row r ---

constexpr int64_t kTileFrom = 12;  // tokens from which a tile pays for its making

using Ints = __m256i;  // kLanes of them

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
static inline Ints SubInts(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
static inline Ints MulInts(Ints a, Ints b) { return _mm256_mullo_epi32(a, b); }
static inline Vec ToFloats(Ints a) { return {_mm256_cvtepi32_ps(a)}; }

static inline void StoreBytes(uint8_t* p, Bytes b) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), b.lo);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), b.hi);
}

// sums[g]: of the 16 activations from 16 g on, of 256.
static inline void SumActivations16(const int8_t* x, int32_t sums[16]) {
  const __m256i ones = _mm256_set1_epi8(1);
  __m256i v[8];
  for (int b = 0; b < 8; ++b) {
    v[b] = _mm256_madd_epi16(_mm256_maddubs_epi16(ones, Load32(x + 32 * b)), _mm256_set1_epi16(1));
  }
  for (int i = 0; i < 2; ++i) {  // low halves: even groups, high halves: odd ones
    const __m256i a = _mm256_hadd_epi32(v[4 * i], v[4 * i + 1]);
    const __m256i b = _mm256_hadd_epi32(v[4 * i + 2], v[4 * i + 3]);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 8 * i),
                        _mm256_permutevar8x32_epi32(_mm256_hadd_epi32(a, b), order));
  }
}

}  // namespace flashmoe::avx2
