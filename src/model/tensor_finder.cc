#include "model/tensor_finder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace flashmoe {
namespace {

Extent Whole(const TensorInfo& tensor) { return {tensor.file, tensor.offset, tensor.bytes}; }

bool IsFloat(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

// Numbers that no matrix of weights is made of, unless they are packed and have scales.
bool IsPlainNumber(DType type) {
  return type == DType::kF64 || type == DType::kI8 || type == DType::kI16 || type == DType::kI32 ||
         type == DType::kI64;
}

std::unexpected<Error> WrongShape(const TensorInfo& tensor, const std::vector<int64_t>& want) {
  return InvalidInput(
      fmt::format("tensor '{}' has shape [{}] where the model needs [{}]", tensor.name,
                  fmt::join(tensor.shape, ", "), fmt::join(want, ", ")),
      tensor.file->path(), "the file is damaged or of an unknown variant");
}

std::optional<DType> MlxType(int64_t bits) {
  switch (bits) {
    case 2:
      return DType::kMlx2;
    case 4:
      return DType::kMlx4;
    case 6:
      return DType::kMlx6;
    case 8:
      return DType::kMlx8;
    default:
      return std::nullopt;
  }
}

// Dimensions of 1 say nothing: [C, 1, 4] and [C, 4, 1] and [C, 4] hold the same numbers.
int64_t RowsTimes(const std::vector<int64_t>& shape_rows) {
  int64_t rows = 1;
  for (int64_t dim : shape_rows) rows *= dim;
  return rows;
}

}  // namespace

Result<const TensorInfo*> TensorFinder::Get(const std::string& name) const {
  const TensorInfo* tensor = file_.Find(name);
  if (tensor != nullptr) return tensor;
  return InvalidInput(fmt::format("tensor '{}' is missing", name), file_.path(),
                      "the file is incomplete or of an unknown variant");
}

Result<VectorSource> TensorFinder::Vector(const std::string& name, int64_t elements) const {
  FM_ASSIGN_OR_RETURN(const TensorInfo* tensor, Get(name));
  if (tensor->elements() != elements) return WrongShape(*tensor, {elements});
  if (!IsFloat(tensor->type)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("tensor '{}' has type {} where floats are expected", name,
                            GetInfo(tensor->type).name),
                file_.path());
  }
  return VectorSource{tensor, elements};
}

Result<MatrixSource> TensorFinder::Matrix(const std::string& base, int64_t rows,
                                          int64_t cols) const {
  return Find(base, base + ".weight", {rows}, cols);
}

Result<MatrixSource> TensorFinder::Stack(const std::string& base, bool bare, int64_t experts,
                                         int64_t rows, int64_t cols) const {
  FM_ASSIGN_OR_RETURN(MatrixSource stack,
                      Find(base, bare ? base : base + ".weight", {experts, rows}, cols));
  stack.rows = rows;
  return stack;
}

Result<MatrixSource> TensorFinder::Find(const std::string& base, const std::string& name,
                                        const std::vector<int64_t>& shape_rows,
                                        int64_t cols) const {
  FM_ASSIGN_OR_RETURN(const TensorInfo* weight, Get(name));
  MatrixSource source;
  source.type = weight->type;
  source.rows = RowsTimes(shape_rows);
  source.cols = cols;
  source.data = Whole(*weight);

  std::vector<int64_t> want = shape_rows;
  const TensorInfo* scales = file_.Find(base + ".scales");
  if (scales == nullptr) {
    want.push_back(cols);
    // A single row is often stored as a vector.
    const bool flat = source.rows == 1 && weight->elements() == cols;
    if (weight->shape != want && !flat) return WrongShape(*weight, want);
    if (IsPlainNumber(weight->type)) {
      return InvalidInput(
          fmt::format("tensor '{}' holds {} and has no scales", name, GetInfo(weight->type).name),
          file_.path(), "the file is incomplete or of an unknown variant");
    }
    return source;
  }

  FM_ASSIGN_OR_RETURN(const TensorInfo* biases, Get(base + ".biases"));
  const int64_t packed = weight->shape.back();
  const int64_t groups = scales->shape.back();
  want.push_back(packed);
  if (weight->shape != want || weight->type != DType::kI32) return WrongShape(*weight, want);
  want.back() = groups;
  if (scales->shape != want) return WrongShape(*scales, want);
  if (biases->shape != want) return WrongShape(*biases, want);
  const auto type = cols > 0 && packed < (int64_t{1} << 40) && packed * 32 % cols == 0
                        ? MlxType(packed * 32 / cols)
                        : std::nullopt;
  const int64_t group = groups > 0 && cols % groups == 0 ? cols / groups : 0;
  if (!type || (group != 32 && group != 64 && group != 128) || !IsFloat(scales->type) ||
      biases->type != scales->type) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("tensor '{}' is quantised in a way that is not supported", name),
                file_.path(), "supported are affine 2, 4, 6 and 8 bit in groups of 32, 64, 128");
  }
  source.type = *type;
  source.group = static_cast<int32_t>(group);
  source.scale_type = scales->type;
  source.scales = Whole(*scales);
  source.biases = Whole(*biases);
  return source;
}

int ExpertPieces::AddPiece(const std::vector<Extent>& per_expert) {
  for (int e = 0; e < experts_; ++e) by_expert_[e].push_back(per_expert[e]);
  return pieces_++;
}

ExpertMatrix ExpertPieces::MakeMatrix(const MatrixSource& source) const {
  ExpertMatrix matrix;
  matrix.shape.type = source.type;
  matrix.shape.rows = source.rows;
  matrix.shape.cols = source.cols;
  matrix.shape.row_bytes = source.row_bytes();
  matrix.shape.group = source.group;
  matrix.shape.scale_type = source.scale_type;
  return matrix;
}

ExpertMatrix ExpertPieces::AddStack(const MatrixSource& stack) {
  const auto split = [&](const Extent& whole) {
    const uint64_t bytes = whole.bytes / experts_;
    std::vector<Extent> extents;
    for (int e = 0; e < experts_; ++e) {
      extents.push_back({whole.file, whole.offset + e * bytes, bytes});
    }
    return extents;
  };
  ExpertMatrix matrix = MakeMatrix(stack);
  matrix.data_piece = AddPiece(split(stack.data));
  if (stack.group != 0) {
    matrix.scales_piece = AddPiece(split(stack.scales));
    matrix.biases_piece = AddPiece(split(stack.biases));
  }
  return matrix;
}

Result<ExpertMatrix> ExpertPieces::AddSeparate(const std::vector<MatrixSource>& sources) {
  const MatrixSource& first = sources.front();
  std::vector<Extent> data, scales, biases;
  for (const MatrixSource& source : sources) {
    if (source.type != first.type || source.group != first.group ||
        source.scale_type != first.scale_type) {
      return Fail(ErrorCode::kUnsupported, "the experts of a layer differ in type",
                  source.data.file->path());
    }
    data.push_back(source.data);
    scales.push_back(source.scales);
    biases.push_back(source.biases);
  }
  ExpertMatrix matrix = MakeMatrix(first);
  matrix.data_piece = AddPiece(data);
  if (first.group != 0) {
    matrix.scales_piece = AddPiece(scales);
    matrix.biases_piece = AddPiece(biases);
  }
  return matrix;
}

void ExpertPieces::MoveInto(ExpertCatalog& catalog, int layer) && {
  std::vector<Extent> extents;
  for (const auto& pieces : by_expert_) {
    extents.insert(extents.end(), pieces.begin(), pieces.end());
  }
  catalog.SetLayer(layer, pieces_, std::move(extents));
}

ExpertMatrix SliceExpertRows(const ExpertMatrix& matrix, int64_t first, int64_t rows) {
  ExpertMatrix slice = matrix;
  slice.shape.rows = rows;
  slice.data_offset = matrix.data_offset + first * matrix.shape.row_bytes;
  return slice;
}

SplitQkvz SplitGroupedQkvz(const MatrixSource& fused, const ModelConfig& c) {
  const int64_t value_rows = int64_t{c.value_heads} / c.key_heads * c.value_dim;
  const int64_t stride = 2 * c.key_dim + 2 * value_rows;
  SplitQkvz split{fused, fused};
  const auto pick = [&](MatrixSource& out, int64_t offset, int64_t count) {
    for (int64_t g = 0; g < c.key_heads; ++g) out.runs.push_back({g * stride + offset, count});
  };
  pick(split.qkv, 0, c.key_dim);
  pick(split.qkv, c.key_dim, c.key_dim);
  pick(split.qkv, 2 * c.key_dim, value_rows);
  pick(split.z, 2 * c.key_dim + value_rows, value_rows);
  split.qkv.rows = c.conv_channels();
  split.z.rows = int64_t{c.value_heads} * c.value_dim;
  return split;
}

SplitBa SplitGroupedBa(const MatrixSource& fused, const ModelConfig& c) {
  const int64_t ratio = c.value_heads / c.key_heads;
  SplitBa split{fused, fused};
  for (int64_t g = 0; g < c.key_heads; ++g) {
    split.b.runs.push_back({g * 2 * ratio, ratio});
    split.a.runs.push_back({g * 2 * ratio + ratio, ratio});
  }
  split.b.rows = split.a.rows = c.value_heads;
  return split;
}

}  // namespace flashmoe
