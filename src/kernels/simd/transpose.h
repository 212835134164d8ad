// Rows of 32-bit values to columns. Included after an instruction set's vector.h.
#pragma once

#include <cstdint>

namespace flashmoe::FM_ISA {

static inline void StoreWords(void* to, __m256i v) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), v);
}

// Four columns from the first 16 bytes of kLanes rows that lie `stride` bytes apart.
static inline void LoadColumns(const void* rows, int64_t stride, Vec columns[4]) {
  for (int j = 0; j < 4; ++j) {
    columns[j] = LoadQuads(static_cast<const char*>(rows) + j * stride, 4 * stride);
  }
  TransposeQuads(columns);
}

// Transposes `quads` groups of four 32-bit values from kLanes rows that lie `stride` bytes apart;
// `column(i)` is where column i belongs.
template <class Column>
static inline void TransposeRowsTo(const void* rows, int64_t stride, int quads,
                                   const Column& column) {
  for (int i = 0; i < quads; ++i) {
    Vec v[4];
    LoadColumns(static_cast<const char*>(rows) + 16 * i, stride, v);
    for (int j = 0; j < 4; ++j) Store(reinterpret_cast<float*>(column(4 * i + j)), v[j]);
  }
}

// The same, one column after the other.
static inline void TransposeRows(const void* rows, int64_t stride, int quads, void* columns) {
  TransposeRowsTo(rows, stride, quads,
                  [&](int i) { return static_cast<float*>(columns) + i * kLanes; });
}

}  // namespace flashmoe::FM_ISA
