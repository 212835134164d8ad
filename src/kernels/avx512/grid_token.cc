// One token times weights from grids. Where grids are unpacked (unpack_grid.h) each of their rows
// is a load and an insertion; here 64 are looked up at a time, in tables that fill a few registers.
// What comes out holds one element of 64 rows, so the token is laid out alike, and so that four
// bytes that are summed belong to one block. Sums are of integers, hence the same as MatmulInt's.
#include "kernels/avx512/unpack_grid.h"
#include "kernels/simd/formats_grid.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/reduce.h"
#include "kernels/simd/tokens.h"

namespace flashmoe::FM_ISA {
namespace {

constexpr int kRowsAtOnce = 64;         // of a grid
constexpr int64_t kColsMax = 64 * 256;  // a token so long is laid out on the stack
constexpr int64_t kRowsMin = 8;         // of a matrix, from which laying out pays

// What 64 rows of a grid are found by, in the order of their elements.
struct Found {
  __m512i index;           // the low eight bits
  __mmask64 ninth, tenth;  // the others
  __m512i signs;           // bit i: element i is negative; rows of four in pairs
  __m256 scale[2];         // of each span's blocks
  __m128i scales[2];       // with kScalesOf16: s of each span's 16
};

template <int kRows>
inline __m512i LookUpRows(const uint8_t* table, const Found& at) {
  if constexpr (kRows == 256) {
    const __m512i low = _mm512_permutex2var_epi8(Load64(table), at.index, Load64(table + 64));
    const __m512i high =
        _mm512_permutex2var_epi8(Load64(table + 128), at.index, Load64(table + 192));
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(at.index), low, high);
  } else {
    return _mm512_mask_blend_epi8(kRows == 512 ? at.ninth : at.tenth,
                                  LookUpRows<kRows / 2>(table, at),
                                  LookUpRows<kRows / 2>(table + kRows / 2, at));
  }
}

// Every other one of the 16 words at each of two places, from word `first` on.
inline __m512i EveryOther(const uint8_t* a, const uint8_t* b, int first) {
  const __m512i order =
      _mm512_add_epi32(_mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                       _mm512_set1_epi32(first));
  return _mm512_permutex2var_epi32(Load64(a), order, Load64(b));
}

// A byte of signs for each four times seven of words.
inline __m512i SignsOfWords(__m512i words) {
  const __m512i places = _mm512_set1_epi64(0x352e'2720'150e'0700);
  const __m512i seven =
      _mm512_and_si512(_mm512_multishift_epi64_epi8(places, words), _mm512_set1_epi8(0x7f));
  const __m512i parity = _mm512_broadcast_i32x4(OddParity());
  const __m512i folded = _mm512_and_si512(_mm512_xor_si512(seven, _mm512_srli_epi16(seven, 4)),
                                          _mm512_set1_epi8(0x0f));
  return _mm512_or_si512(seven, _mm512_shuffle_epi8(parity, folded));
}

inline __m512i Join(__m256i low, __m256i high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
inline __m256i Half(__m512i v, int which) {
  return which == 0 ? _mm512_castsi512_si256(v) : _mm512_extracti64x4_epi64(v, 1);
}
// Each byte twice: for rows of four, two of which share a byte of signs.
inline __m512i Twice(__m256i bytes) {
  const __m512i wide = _mm512_cvtepu8_epi16(bytes);
  return _mm512_or_si512(wide, _mm512_slli_epi16(wide, 8));
}

// --- the types: how many elements a row of the grid has, and where things lie ---

struct alignas(16) NibbleValues {
  uint8_t of[16];
};
template <class Value>
constexpr NibbleValues ValuesOf(const Value& value) {
  NibbleValues out = {};
  for (int i = 0; i < 16; ++i) out.of[i] = static_cast<uint8_t>(value(i));
  return out;
}
inline __m512i Broadcast(const NibbleValues& values) {
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(values.of)));
}

struct Grid2 {
  static constexpr int kRun = 8, kSpans = 2;
  // Of a nibble's lower and higher code.
  static constexpr NibbleValues kFirst = ValuesOf([](int i) { return ref::kIq2Values[i & 3]; });
  static constexpr NibbleValues kSecond = ValuesOf([](int i) { return ref::kIq2Values[i >> 2]; });
};

template <class Block>
inline void FindScalesOf16(const Block* const block[2], Found* at) {
  for (int i = 0; i < 2; ++i) {
    at->scales[i] = OddScales(block[i]->scales);
    at->scale[i] = EighthOf(block[i]->d);
  }
}

struct GridIQ2_XXS : Grid2 {
  using Block = BlockIQ2_XXS;
  static constexpr bool kScalesOf16 = false;
  static constexpr const auto& kCodes = ref::kIq2XxsCodes;
  static Found Find(const Block* const block[2]) {
    const __m512i words = EveryOther(block[0]->qs, block[1]->qs, 1);
    Found at;
    at.index = EveryOther(block[0]->qs, block[1]->qs, 0);
    at.signs = SignsOfWords(words);
    for (int i = 0; i < 2; ++i) {
      at.scale[i] = ScalesOfWords(Half(words, i), block[i]->d, 0.25f);
    }
    return at;
  }
};

struct GridIQ2_XS : Grid2 {
  using Block = BlockIQ2_XS;
  static constexpr bool kScalesOf16 = true;
  static constexpr const auto& kCodes = ref::kIq2XsCodes;
  static Found Find(const Block* const block[2]) {
    const __m512i a = Load64(block[0]->qs), b = Load64(block[1]->qs);
    const __m512i bytes = _mm512_setr_epi64(
        0x0e0c0a0806040200, 0x1e1c1a1816141210, 0x2e2c2a2826242220, 0x3e3c3a3836343230,
        0x4e4c4a4846444240, 0x5e5c5a5856545250, 0x6e6c6a6866646260, 0x7e7c7a7876747270);
    Found at;
    at.index = _mm512_permutex2var_epi8(a, bytes, b);
    const __m512i high =
        _mm512_permutex2var_epi8(a, _mm512_or_si512(bytes, _mm512_set1_epi8(1)), b);
    at.ninth = _mm512_test_epi8_mask(high, _mm512_set1_epi8(1));
    const __m512i seven = _mm512_and_si512(_mm512_srli_epi16(high, 1), _mm512_set1_epi8(0x7f));
    FindScalesOf16(block, &at);
    at.signs =
        Join(Load32(WithEighth(Half(seven, 0)).bits), Load32(WithEighth(Half(seven, 1)).bits));
    return at;
  }
};

struct GridIQ2_S : Grid2 {
  using Block = BlockIQ2_S;
  static constexpr bool kScalesOf16 = true;
  static constexpr const auto& kCodes = ref::kIq2SCodes;
  static Found Find(const Block* const block[2]) {
    Found at;
    at.index = Join(Load32(block[0]->qs), Load32(block[1]->qs));
    at.signs = Join(Load32(block[0]->signs), Load32(block[1]->signs));
    // Bits 0 and 1 of a byte of qh belong to row 0 of four, 2 and 3 to row 1 ...
    const __m512i tops =
        _mm512_cvtepu8_epi32(_mm_set_epi64x(Load8(block[1]->qh), Load8(block[0]->qh)));
    const __m512i each = _mm512_mullo_epi32(tops, _mm512_set1_epi32(0x01010101));
    const __m512i bit = _mm512_set1_epi32(0x40100401);
    at.ninth = _mm512_test_epi8_mask(each, bit);
    at.tenth = _mm512_test_epi8_mask(each, _mm512_add_epi8(bit, bit));
    FindScalesOf16(block, &at);
    return at;
  }

 private:
  static int64_t Load8(const uint8_t* p) {
    int64_t v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
  }
};

struct Grid3 {
  static constexpr int kRun = 4, kSpans = 1;
  static constexpr bool kScalesOf16 = false;
};

struct GridIQ3_XXS : Grid3 {
  using Block = BlockIQ3_XXS;
  static constexpr const auto& kCodes = ref::kIq3XxsCodes;
  static constexpr NibbleValues kFirst = ValuesOf([](int i) { return ref::kIq3XxsValues[i & 7]; });
  static Found Find(const Block* const block[2]) {
    const __m256i words = Load32(block[0]->signs);
    Found at;
    at.index = Load64(block[0]->qs);
    at.signs = Twice(Half(SignsOfWords(_mm512_castsi256_si512(words)), 0));
    at.scale[0] = ScalesOfWords(words, block[0]->d, 0.5f);
    return at;
  }
};

struct GridIQ3_S : Grid3 {
  using Block = BlockIQ3_S;
  static constexpr const auto& kCodes = ref::kIq3SCodes;
  static constexpr NibbleValues kFirst = ValuesOf([](int i) { return ref::kIq3SValues[i & 7]; });
  static Found Find(const Block* const block[2]) {
    Found at;
    at.index = Load64(block[0]->qs);
    uint64_t ninth;
    __builtin_memcpy(&ninth, block[0]->qh, sizeof(ninth));
    at.ninth = ninth;
    at.signs = Twice(Load32(block[0]->signs));
    at.scale[0] = ScalesOfNibbles(block[0]->scales, block[0]->d);
    return at;
  }
};

// --- the token ---

// Element p of 64 runs side by side, p = 0 .. kRun - 1. With scales of 16, which two runs of eight
// share, elements p and p + 1 of such two make up four bytes.
template <class Grid>
void LayOut(const int8_t* x, int64_t cols, int8_t* out) {
  constexpr int kRun = Grid::kRun, kPiece = 64 / kRun;
  alignas(64) int8_t order[64], piece[64];
  for (int i = 0; i < 64; ++i) order[i] = static_cast<int8_t>(i % kPiece * kRun + i / kPiece);
  const __m512i places = _mm512_load_si512(order);
  for (int64_t unit = 0; unit < cols; unit += kRowsAtOnce * kRun, out += kRowsAtOnce * kRun) {
    for (int i = 0; i < kRun; ++i) {
      __m512i v = _mm512_setzero_si512();
      if (unit + 64 * i < cols) v = Load64(x + unit + 64 * i);
      _mm512_store_si512(piece, _mm512_permutexvar_epi8(places, v));
      for (int p = 0; p < kRun; ++p) {
        __builtin_memcpy(out + 64 * p + kPiece * i, piece + kPiece * p, kPiece);
      }
    }
    if constexpr (Grid::kScalesOf16) {
      for (int p = 0; p < kRun; p += 2) {
        const __m512i even = Load64(out + 64 * p), odd = Load64(out + 64 * p + 64);
        StoreInts(out + 64 * p, _mm512_unpacklo_epi16(even, odd));
        StoreInts(out + 64 * p + 64, _mm512_unpackhi_epi16(even, odd));
      }
    }
  }
}

inline __m512i Negate(__m512i x, __m512i signs, __m512i bits) {
  return _mm512_mask_sub_epi8(x, _mm512_test_epi8_mask(signs, bits), _mm512_setzero_si512(), x);
}

// The sums of blocks from those of 16 in the order of LayOut(): lo has 0 to 3 of eight, hi the
// rest.
inline __m512i BlocksOf(__m512i lo, __m512i hi) {
  const __m512 a = _mm512_castsi512_ps(lo), b = _mm512_castsi512_ps(hi);
  return _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88)),
                          _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd)));
}
inline __m512i ScalesInOrder(const Found& at, int hi) {
  const __m512i order =
      _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
                       _mm512_set1_epi32(4 * hi));
  return _mm512_permutex2var_epi32(_mm512_cvtepi8_epi32(at.scales[0]), order,
                                   _mm512_cvtepi8_epi32(at.scales[1]));
}

// Lane b: the sum over block b of kSpans spans of s w x.
template <class Grid>
inline __m512i Dots(const Found& at, const int8_t* x) {
  constexpr int kRun = Grid::kRun, kRows = sizeof(Grid::kCodes.half[0]);
  const __m512i low = _mm512_set1_epi8(0x0f);
  const __m512i first = Broadcast(Grid::kFirst);
  __m512i w[kRun];
  for (int h = 0; h < 2; ++h) {
    const __m512i codes = LookUpRows<kRows>(Grid::kCodes.half[h], at);
    const __m512i nibbles[2] = {_mm512_and_si512(codes, low),
                                _mm512_and_si512(_mm512_srli_epi16(codes, 4), low)};
    for (int i = 0; i < 2; ++i) {
      if constexpr (kRun == 8) {
        w[4 * h + 2 * i] = _mm512_shuffle_epi8(first, nibbles[i]);
        w[4 * h + 2 * i + 1] = _mm512_shuffle_epi8(Broadcast(Grid::kSecond), nibbles[i]);
      } else {
        w[2 * h + i] = _mm512_shuffle_epi8(first, nibbles[i]);
      }
    }
  }
  __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  if constexpr (Grid::kScalesOf16) {
    const __m512i lo = _mm512_unpacklo_epi16(at.signs, at.signs);
    const __m512i hi = _mm512_unpackhi_epi16(at.signs, at.signs);
    for (int p = 0; p < kRun; p += 2) {
      const __m512i bits = _mm512_set1_epi32(static_cast<int32_t>(0x02020101u << p));
      sums[0] = _mm512_dpbusd_epi32(sums[0], _mm512_unpacklo_epi16(w[p], w[p + 1]),
                                    Negate(Load64(x + 64 * p), lo, bits));
      sums[1] = _mm512_dpbusd_epi32(sums[1], _mm512_unpackhi_epi16(w[p], w[p + 1]),
                                    Negate(Load64(x + 64 * p + 64), hi, bits));
    }
    return BlocksOf(_mm512_mullo_epi32(sums[0], ScalesInOrder(at, 0)),
                    _mm512_mullo_epi32(sums[1], ScalesInOrder(at, 1)));
  }
  for (int p = 0; p < kRun; ++p) {
    const __m512i bits = kRun == 8 ? _mm512_set1_epi8(static_cast<char>(1 << p))
                                   : _mm512_set1_epi16(static_cast<int16_t>(0x1001 << p));
    sums[p % 2] =
        _mm512_dpbusd_epi32(sums[p % 2], w[p], Negate(Load64(x + 64 * p), at.signs, bits));
  }
  const __m512i sum = _mm512_add_epi32(sums[0], sums[1]);
  if constexpr (kRun == 8) return sum;
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return _mm512_add_epi32(_mm512_permutexvar_epi32(even, sum), _mm512_permutexvar_epi32(odd, sum));
}

template <class Grid>
void MatmulToken(const Matrix& w, int64_t begin, int64_t end, const Activations& x, float* y,
                 int64_t y_stride) {
  using Block = typename Grid::Block;
  if (w.cols > kColsMax || end - begin < kRowsMin) {
    return MatmulGrid(w.type)(w, begin, end, x, y, y_stride);
  }
  alignas(64) int8_t token[kColsMax];
  LayOut<Grid>(x.q8, w.cols, token);
  const int64_t spans = w.cols / kSpan;
  for (int64_t r = begin; r < end; ++r) {
    const auto* row = reinterpret_cast<const Block*>(RowAt(w, r).data);
    __m256 acc = _mm256_setzero_ps();
    for (int64_t s = 0; s < spans; s += Grid::kSpans) {
      const bool more = Grid::kSpans == 2 && s + 1 < spans;
      const Block* const blocks[2] = {row + s, row + s + (more ? 1 : 0)};
      for (uintptr_t line = 0; line < Grid::kSpans * sizeof(Block); line += 64) {
        PrefetchAhead(reinterpret_cast<const uint8_t*>(blocks[0]), kPrefetchDistance + line);
      }
      const Found at = Grid::Find(blocks);
      const __m512i dots = Dots<Grid>(at, token + s * kSpan);
      for (int i = 0; i <= (more ? 1 : 0); ++i) {
        const __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(Half(dots, i)), at.scale[i]);
        acc = _mm256_fmadd_ps(value, _mm256_loadu_ps(x.scales + (s + i) * kSpanBlocks), acc);
      }
    }
    y[r] = Sum8(acc);
  }
}

}  // namespace

MatmulFn MatmulGridToken(DType type) {
  switch (type) {
    case DType::kIQ2_XXS:
      return MatmulToken<GridIQ2_XXS>;
    case DType::kIQ2_XS:
      return MatmulToken<GridIQ2_XS>;
    case DType::kIQ2_S:
      return MatmulToken<GridIQ2_S>;
    case DType::kIQ3_XXS:
      return MatmulToken<GridIQ3_XXS>;
    case DType::kIQ3_S:
      return MatmulToken<GridIQ3_S>;
    default:
      return nullptr;
  }
}

}  // namespace flashmoe::FM_ISA
