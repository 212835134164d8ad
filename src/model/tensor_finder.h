// Tensors by name, with the shape the model's geometry asks for; errors name tensor and shapes.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "format/model_file.h"
#include "model/config.h"
#include "model/weight_map.h"

namespace flashmoe {

class TensorFinder {
 public:
  explicit TensorFinder(const ModelFile& file) : file_(file) {}

  bool Has(const std::string& name) const { return file_.Find(name) != nullptr; }
  Result<const TensorInfo*> Get(const std::string& name) const;

  // A vector of any shape whose elements are `elements` floats (F32, F16 or BF16).
  Result<VectorSource> Vector(const std::string& name, int64_t elements) const;

  // `base` + ".weight", [rows, cols]; with `base` + ".scales" beside it, an MLX matrix.
  Result<MatrixSource> Matrix(const std::string& base, int64_t rows, int64_t cols) const;

  // A stack [experts, rows, cols] named `base` (+ ".weight" unless `bare`), MLX or not. The
  // source's rows are those of one expert, its extents those of the whole stack.
  Result<MatrixSource> Stack(const std::string& base, bool bare, int64_t experts, int64_t rows,
                             int64_t cols) const;

 private:
  // `shape_rows`: what the dimensions before the last one must be.
  Result<MatrixSource> Find(const std::string& base, const std::string& name,
                            const std::vector<int64_t>& shape_rows, int64_t cols) const;
  const ModelFile& file_;
};

// Collects the experts of one layer into catalog pieces.
class ExpertPieces {
 public:
  explicit ExpertPieces(int experts) : experts_(experts), by_expert_(experts) {}

  // All experts in one stack; returns the matrix with all its rows.
  ExpertMatrix AddStack(const MatrixSource& stack);
  // One source an expert, all of the same type and shape.
  Result<ExpertMatrix> AddSeparate(const std::vector<MatrixSource>& sources);

  void MoveInto(ExpertCatalog& catalog, int layer) &&;

 private:
  int AddPiece(const std::vector<Extent>& per_expert);
  ExpertMatrix MakeMatrix(const MatrixSource& source) const;

  int experts_;
  int pieces_ = 0;
  std::vector<std::vector<Extent>> by_expert_;  // [experts][pieces]
};

// Rows [first, first + rows) of a matrix whose bytes lie in one piece.
ExpertMatrix SliceExpertRows(const ExpertMatrix& matrix, int64_t first, int64_t rows);

// Qwen3-Next fuses projections and groups their rows by key head; these pick the flat forms.
struct SplitQkvz {
  MatrixSource qkv, z;
};
SplitQkvz SplitGroupedQkvz(const MatrixSource& fused, const ModelConfig& config);
struct SplitBa {
  MatrixSource b, a;
};
SplitBa SplitGroupedBa(const MatrixSource& fused, const ModelConfig& config);

// The two naming schemes.
Result<WeightMap> MapGguf(const ModelFile& file, ModelConfig& config);
Result<WeightMap> MapHf(const ModelFile& file, ModelConfig& config);

}  // namespace flashmoe
