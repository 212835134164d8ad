// Unpacks 256 quantised weights ("a span") to one byte each, in element order, and multiplies them
// with 256 int8 activations, in 512-bit registers with VNNI.
#pragma once

#include "kernels/avx512/vector.h"
#include "tensor/blocks.h"

namespace flashmoe::avx512 {

struct Bytes {  // 64 weights
  __m512i v;
};

// What must be added to a byte of LoadSigned and LoadUnsigned to get the weight. Both are unsigned
// here, as dpbusd wants its first factor.
constexpr int kSignedOffset = -128;
constexpr int kUnsignedOffset = 0;

static inline __m512i Load64(const void* p) { return _mm512_loadu_si512(p); }
static inline __m512i Load32Twice(const void* p) {
  return _mm512_broadcast_i64x4(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
// The halves of a register hold blocks of 32: shift each by its own count.
static inline __m512i Shifts(int16_t low_half, int16_t high_half) {
  return _mm512_inserti64x4(_mm512_set1_epi16(low_half), _mm256_set1_epi16(high_half), 1);
}

static inline Bytes LoadSigned(const void* p) {
  return {_mm512_xor_si512(Load64(p), _mm512_set1_epi8(static_cast<char>(0x80)))};
}
static inline Bytes LoadUnsigned(const void* p) { return {Load64(p)}; }

static inline void UnpackQ8_0(const uint8_t* p, Bytes q[4]) {
  const auto* block = reinterpret_cast<const BlockQ8_0*>(p);
  const __m512i top = _mm512_set1_epi8(static_cast<char>(0x80));
  for (int i = 0; i < 4; ++i) {
    const auto* a = reinterpret_cast<const __m256i*>(block[2 * i].qs);
    const auto* b = reinterpret_cast<const __m256i*>(block[2 * i + 1].qs);
    const __m512i v =
        _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(a)), _mm256_loadu_si256(b), 1);
    q[i] = {_mm512_xor_si512(v, top)};
  }
}

// Blocks of 18 bytes: 16-bit words pick the 8 words of two blocks, each twice, from 64 bytes that
// lie within the span; then low nibbles stay and high nibbles move down.
static inline void UnpackQ4_0(const uint8_t* p, Bytes q[4]) {
  const __m512i words = _mm512_set_epi16(17, 16, 15, 14, 13, 12, 11, 10, 17, 16, 15, 14, 13, 12, 11,
                                         10, 8, 7, 6, 5, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1);
  const __m512i last_words = _mm512_add_epi16(words, _mm512_set1_epi16((108 - 80) / 2));
  const __m512i shift = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
  const __m512i low = _mm512_set1_epi8(0x0f);
  for (int i = 0; i < 4; ++i) {
    const __m512i v = i < 3 ? _mm512_permutexvar_epi16(words, Load64(p + 36 * i))
                            : _mm512_permutexvar_epi16(last_words, Load64(p + 80));
    q[i] = {_mm512_and_si512(_mm512_srlv_epi64(v, shift), low)};
  }
}

static inline void UnpackQ4_K(const uint8_t* qs, Bytes q[4]) {
  const __m512i shift = Shifts(0, 4);
  const __m512i low = _mm512_set1_epi8(0x0f);
  for (int i = 0; i < 4; ++i) {
    q[i] = {_mm512_and_si512(_mm512_srlv_epi16(Load32Twice(qs + 32 * i), shift), low)};
  }
}

// (a & ~mask) | (b & mask)
static inline __m512i Blend(__m512i a, __m512i b, __m512i mask) {
  return _mm512_ternarylogic_epi32(a, b, mask, 0xd8);
}

static inline void UnpackQ5_K(const uint8_t* qs, const uint8_t* qh, Bytes q[4]) {
  UnpackQ4_K(qs, q);
  const __m512i fifth = _mm512_set1_epi8(0x10);
  const __m512i h = Load32Twice(qh);  // bit b belongs to block b
  const __m512i bits[4] = {_mm512_sllv_epi16(h, Shifts(4, 3)), _mm512_sllv_epi16(h, Shifts(2, 1)),
                           _mm512_srlv_epi16(h, Shifts(0, 1)), _mm512_srlv_epi16(h, Shifts(2, 3))};
  for (int i = 0; i < 4; ++i) q[i].v = Blend(q[i].v, bits[i], fifth);
}

static inline void UnpackQ6_K(const uint8_t* ql, const uint8_t* qh, Bytes q[4]) {
  const __m512i low = _mm512_set1_epi8(0x0f), high = _mm512_set1_epi8(0x30);
  for (int half = 0; half < 2; ++half) {
    const __m512i v = Load64(ql + 64 * half);
    const __m512i h = Load32Twice(qh + 32 * half);
    q[2 * half] = {Blend(_mm512_and_si512(v, low), _mm512_sllv_epi16(h, Shifts(4, 2)), high)};
    q[2 * half + 1] = {Blend(_mm512_and_si512(_mm512_srli_epi16(v, 4), low),
                             _mm512_srlv_epi16(h, Shifts(0, 2)), high)};
  }
}

// Byte k holds elements 2 k and 2 k + 1.
static inline void UnpackMlx4(const uint8_t* p, Bytes q[4]) {
  for (int i = 0; i < 4; ++i) {
    const auto* bytes = reinterpret_cast<const __m256i*>(p + 32 * i);
    const __m512i wide = _mm512_cvtepu8_epi16(_mm256_loadu_si256(bytes));
    q[i] = {_mm512_and_si512(_mm512_or_si512(wide, _mm512_slli_epi16(wide, 4)),
                             _mm512_set1_epi8(0x0f))};
  }
}

// Quarter g of v[i] holds partial sums of the 16 elements from 64 i + 16 g on. Lane 4 g + i of the
// result is their total.
static inline __m512i SumsOf16(const __m512i v[4]) {
  const __m512i a =
      _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  const __m512i b =
      _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

// Lane b: the total of block b (32 elements), from sums of 16 in the order of SumsOf16.
static inline __m256i SumsOf32(__m512i v) {
  const __m512i first = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m512i second = _mm512_setr_epi32(4, 12, 5, 13, 6, 14, 7, 15, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm256_add_epi32(_mm512_castsi512_si256(_mm512_permutexvar_epi32(first, v)),
                          _mm512_castsi512_si256(_mm512_permutexvar_epi32(second, v)));
}

// Lane b: the sum over block b (32 elements) of q x; without the offset of LoadSigned.
static inline __m256i DotBytes(const Bytes q[4], const int8_t* x) {
  __m512i v[4];
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), q[i].v, Load64(x + 64 * i));
  }
  return SumsOf32(SumsOf16(v));
}
static inline __m256i DotSmall(const Bytes q[4], const int8_t* x) { return DotBytes(q, x); }

// Lane b: the sum over block b of s (q - 32) x for 0 <= q <= 63, with a scale for 16 elements.
static inline __m256i DotQ6(const Bytes q[4], const int8_t scales[16], const int8_t* x) {
  const __m512i offset = _mm512_set1_epi8(32), zero = _mm512_setzero_si512();
  __m512i v[4];
  for (int i = 0; i < 4; ++i) {
    const __m512i y = Load64(x + 64 * i);
    v[i] = _mm512_sub_epi32(_mm512_dpbusd_epi32(zero, q[i].v, y),
                            _mm512_dpbusd_epi32(zero, offset, y));
  }
  const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m128i s = _mm_loadu_si128(reinterpret_cast<const __m128i*>(scales));
  const __m512i factors = _mm512_cvtepi8_epi32(_mm_shuffle_epi8(s, order));
  return SumsOf32(_mm512_mullo_epi32(SumsOf16(v), factors));
}

// --- tiles: lane r belongs to row r ---

constexpr int64_t kTileFrom = 4;  // tokens from which a tile pays for its making

using Ints = __m512i;  // kLanes of them

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
static inline Ints SubInts(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
static inline Ints MulInts(Ints a, Ints b) { return _mm512_mullo_epi32(a, b); }
static inline Vec ToFloats(Ints a) { return {_mm512_cvtepi32_ps(a)}; }

static inline void StoreBytes(uint8_t* p, Bytes b) { _mm512_storeu_si512(p, b.v); }

// sums[g]: of the 16 activations from 16 g on, of 256.
static inline void SumActivations16(const int8_t* x, int32_t sums[16]) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i v[4];
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, Load64(x + 64 * i));
  }
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(sums, _mm512_permutexvar_epi32(order, SumsOf16(v)));
}

}  // namespace flashmoe::avx512
