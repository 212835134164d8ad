#include "tensor/matrix.h"

#include "base/check.h"

namespace flashmoe {

Matrix SliceRows(const Matrix& m, int64_t begin, int64_t rows) {
  FM_CHECK(begin >= 0 && rows >= 0 && begin <= m.rows && rows <= m.rows - begin);
  Matrix slice = m;
  slice.rows = rows;
  slice.data = m.data + begin * m.row_bytes;
  if (m.scales != nullptr) {
    const int64_t bytes = m.cols / m.group * RowBytes(m.scale_type, 1);
    slice.scales = m.scales + begin * bytes;
    slice.biases = m.biases + begin * bytes;
  }
  return slice;
}

}  // namespace flashmoe
