#include "model/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "kernels/kernels.h"

namespace flashmoe {
namespace {

// Large tensors are read in parts, so that many reads are in flight and progress is seen.
constexpr uint64_t kPartBytes = 8 << 20;

bool IsFloat(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

// Quantised routers are held as floats: what an int8 product rounds away could flip a choice.
bool HeldAsFloats(const MatrixSource& router) { return !IsFloat(router.type); }

uint64_t MatrixBytes(const MatrixSource& m) {
  if (m.rows == 0) return 0;
  if (!m.runs.empty()) return AlignUp(m.bytes(), kBlockBytes) + 3 * kBlockBytes;
  uint64_t bytes = SlotBytes(m.data.offset, m.data.bytes);
  if (m.group != 0) {
    bytes += SlotBytes(m.scales.offset, m.scales.bytes);
    bytes += SlotBytes(m.biases.offset, m.biases.bytes);
  }
  return bytes;
}

uint64_t RouterBytes(const MatrixSource& m) {
  if (m.rows == 0) return 0;
  return HeldAsFloats(m) ? AlignUp(m.rows * m.cols * sizeof(float), kBlockBytes) : MatrixBytes(m);
}

uint64_t VectorBytes(const VectorSource& v) { return AlignUp(v.elements * sizeof(float), 64); }

}  // namespace

// Lays everything out in one allocation and fills it: big matrices through the async reader, small
// things directly.
class WeightLoader {
 public:
  WeightLoader(const ProgressFn& progress, const CancelFlag* cancel)
      : progress_(progress), cancel_(cancel) {}

  static uint64_t LayerBytes(const LayerSources& l) {
    uint64_t bytes = VectorBytes(l.mixer_norm) + VectorBytes(l.moe_norm) + RouterBytes(l.router) +
                     MatrixBytes(l.shared_gate) + MatrixBytes(l.shared_up) +
                     MatrixBytes(l.shared_down) + RouterBytes(l.shared_router);
    if (l.attention) {
      const AttentionSources& a = *l.attention;
      bytes += MatrixBytes(a.q) + MatrixBytes(a.k) + MatrixBytes(a.v) + MatrixBytes(a.o) +
               VectorBytes(a.q_norm) + VectorBytes(a.k_norm);
    }
    if (l.delta_net) {
      const DeltaNetSources& d = *l.delta_net;
      bytes += MatrixBytes(d.qkv) + MatrixBytes(d.z) + MatrixBytes(d.a) + MatrixBytes(d.b) +
               MatrixBytes(d.out) + VectorBytes(d.conv) + VectorBytes(d.dt_bias) +
               VectorBytes(d.neg_a) + VectorBytes(d.norm);
    }
    // Matrices begin on block boundaries: a gap of less than a block wherever one follows vectors.
    return bytes + 6 * kBlockBytes;
  }

  Result<Weights> Load(const WeightMap& map, const ReaderOptions& options) {
    FM_ASSIGN_OR_RETURN(Memory memory, Memory::Allocate(Weights::ResidentBytes(map)));
    cursor_ = memory.data();
    end_ = memory.data() + memory.size();
    Weights weights;
    weights.memory_.push_back(std::move(memory));
    FM_ASSIGN_OR_RETURN(reader_, MakeReader(options));
    CountBytes(map);

    FM_ASSIGN_OR_RETURN(weights.head_, LoadMatrix(map.head ? *map.head : map.embedding));
    if (map.head) weights.embedding_on_disk_ = map.embedding;
    FM_ASSIGN_OR_RETURN(weights.final_norm_, LoadVector(map.final_norm));
    for (const LayerSources& sources : map.layers) {
      FM_ASSIGN_OR_RETURN(LayerWeights layer, LoadLayer(sources));
      weights.layers_.push_back(std::move(layer));
      FM_RETURN_IF_ERROR(Reap(/*wait=*/false));
    }
    while (reader_->in_flight() > 0) FM_RETURN_IF_ERROR(Reap(/*wait=*/true));
    return weights;
  }

 private:
  void CountBytes(const WeightMap& map) { total_bytes_ = Weights::ResidentBytes(map); }

  void Report(uint64_t bytes) {
    done_bytes_ = std::min(done_bytes_ + bytes, total_bytes_);
    if (progress_) progress_({"loading", done_bytes_, total_bytes_, done_bytes_});
  }

  Status Reap(bool wait) {
    if (cancel_ != nullptr && cancel_->IsSet()) {
      return Fail(ErrorCode::kCancelled, "loading was interrupted");
    }
    completions_.clear();
    reader_->Reap(wait, completions_);
    for (ReadCompletion& completion : completions_) {
      FM_RETURN_IF_ERROR(std::move(completion.status));
      Report(completion.tag);  // the tag carries the size
    }
    return {};
  }

  std::byte* Take(uint64_t bytes, uint64_t alignment) {
    const auto address = reinterpret_cast<uintptr_t>(cursor_);
    std::byte* start = cursor_ + (AlignUp(address, alignment) - address);
    FM_CHECK(start + bytes <= end_);
    cursor_ = start + bytes;
    return start;
  }

  // Returns where the extent's first byte will be.
  const std::byte* Read(const Extent& extent) {
    std::byte* slot = Take(SlotBytes(extent.offset, extent.bytes), kBlockBytes);
    const uint64_t base = AlignDown(extent.offset, kBlockBytes);
    const uint64_t end = extent.offset + extent.bytes;
    for (uint64_t begin = extent.offset; begin < end;) {
      const uint64_t stop = std::min(end, AlignDown(begin, kBlockBytes) + kPartBytes);
      reader_->Submit({extent.file, begin, stop - begin,
                       slot + (AlignDown(begin, kBlockBytes) - base), stop - begin});
      begin = stop;
    }
    reader_->Flush();
    return slot + extent.offset % kBlockBytes;
  }

  // Rows of the runs, one after the other, of a tensor whose rows have `row_bytes`.
  Result<const std::byte*> ReadRuns(const Extent& extent, const std::vector<RowRun>& runs,
                                    int64_t row_bytes) {
    uint64_t total = 0;
    for (const RowRun& run : runs) total += run.count * row_bytes;
    std::byte* start = Take(total, 64);
    std::byte* out = start;
    for (const RowRun& run : runs) {
      const std::span<std::byte> rows(out, static_cast<size_t>(run.count * row_bytes));
      FM_RETURN_IF_ERROR(extent.file->ReadAt(extent.offset + run.first * row_bytes, rows));
      out += rows.size();
    }
    Report(total);
    return start;
  }

  Result<Matrix> LoadMatrix(const MatrixSource& source) {
    Matrix m;
    m.type = source.type;
    m.rows = source.rows;
    m.cols = source.cols;
    m.group = source.group;
    m.scale_type = source.scale_type;
    if (source.rows == 0) return m;
    m.row_bytes = source.row_bytes();
    if (source.runs.empty()) {
      m.data = Read(source.data);
      if (source.group != 0) {
        m.scales = Read(source.scales);
        m.biases = Read(source.biases);
      }
      return m;
    }
    FM_ASSIGN_OR_RETURN(m.data, ReadRuns(source.data, source.runs, m.row_bytes));
    if (source.group != 0) {
      const int64_t scale_bytes = source.scale_row_bytes();
      FM_ASSIGN_OR_RETURN(m.scales, ReadRuns(source.scales, source.runs, scale_bytes));
      FM_ASSIGN_OR_RETURN(m.biases, ReadRuns(source.biases, source.runs, scale_bytes));
    }
    return m;
  }

  Result<Matrix> LoadRouter(const MatrixSource& source) {
    if (source.rows == 0 || !HeldAsFloats(source)) return LoadMatrix(source);
    std::vector<std::byte> data(source.data.bytes), scales(source.scales.bytes),
        biases(source.biases.bytes);
    FM_RETURN_IF_ERROR(source.data.file->ReadAt(source.data.offset, data));
    Matrix packed{source.type, source.rows, source.cols, data.data(), source.row_bytes()};
    if (source.group != 0) {
      FM_RETURN_IF_ERROR(source.scales.file->ReadAt(source.scales.offset, scales));
      FM_RETURN_IF_ERROR(source.biases.file->ReadAt(source.biases.offset, biases));
      packed.scales = scales.data();
      packed.biases = biases.data();
      packed.group = source.group;
      packed.scale_type = source.scale_type;
    }
    const uint64_t bytes = source.rows * source.cols * sizeof(float);
    auto* floats = reinterpret_cast<float*>(Take(bytes, 64));
    for (int64_t row = 0; row < source.rows; ++row) {
      ScalarKernels().dequantize_row(packed, row, floats + row * source.cols);
    }
    return Matrix{DType::kF32, source.rows, source.cols, reinterpret_cast<std::byte*>(floats),
                  static_cast<int64_t>(source.cols * sizeof(float))};
  }

  Result<const float*> LoadVector(const VectorSource& source) {
    std::vector<std::byte> raw(source.tensor->bytes);
    FM_RETURN_IF_ERROR(source.tensor->file->ReadAt(source.tensor->offset, raw));
    const Matrix row{source.tensor->type, 1, source.elements, raw.data(),
                     static_cast<int64_t>(raw.size())};
    auto* out = reinterpret_cast<float*>(Take(VectorBytes(source), 64));
    ScalarKernels().dequantize_row(row, 0, out);
    for (int64_t i = 0; i < source.elements; ++i) {
      out[i] = source.negate_exp ? -std::exp(out[i]) : out[i] + source.add;
    }
    return out;
  }

  Result<AttentionWeights> LoadAttention(const AttentionSources& s) {
    AttentionWeights w;
    FM_ASSIGN_OR_RETURN(w.q, LoadMatrix(s.q));
    FM_ASSIGN_OR_RETURN(w.k, LoadMatrix(s.k));
    FM_ASSIGN_OR_RETURN(w.v, LoadMatrix(s.v));
    FM_ASSIGN_OR_RETURN(w.o, LoadMatrix(s.o));
    FM_ASSIGN_OR_RETURN(w.q_norm, LoadVector(s.q_norm));
    FM_ASSIGN_OR_RETURN(w.k_norm, LoadVector(s.k_norm));
    return w;
  }

  Result<DeltaNetWeights> LoadDeltaNet(const DeltaNetSources& s) {
    DeltaNetWeights w;
    FM_ASSIGN_OR_RETURN(w.qkv, LoadMatrix(s.qkv));
    FM_ASSIGN_OR_RETURN(w.z, LoadMatrix(s.z));
    FM_ASSIGN_OR_RETURN(w.a, LoadMatrix(s.a));
    FM_ASSIGN_OR_RETURN(w.b, LoadMatrix(s.b));
    FM_ASSIGN_OR_RETURN(w.out, LoadMatrix(s.out));
    FM_ASSIGN_OR_RETURN(w.conv, LoadVector(s.conv));
    FM_ASSIGN_OR_RETURN(w.dt_bias, LoadVector(s.dt_bias));
    FM_ASSIGN_OR_RETURN(w.neg_a, LoadVector(s.neg_a));
    FM_ASSIGN_OR_RETURN(w.norm, LoadVector(s.norm));
    return w;
  }

  Result<LayerWeights> LoadLayer(const LayerSources& s) {
    LayerWeights w;
    FM_ASSIGN_OR_RETURN(w.mixer_norm, LoadVector(s.mixer_norm));
    FM_ASSIGN_OR_RETURN(w.moe_norm, LoadVector(s.moe_norm));
    if (s.attention) {
      FM_ASSIGN_OR_RETURN(w.attention, LoadAttention(*s.attention));
    }
    if (s.delta_net) {
      FM_ASSIGN_OR_RETURN(w.delta_net, LoadDeltaNet(*s.delta_net));
    }
    FM_ASSIGN_OR_RETURN(w.router, LoadRouter(s.router));
    FM_ASSIGN_OR_RETURN(w.shared_gate, LoadMatrix(s.shared_gate));
    FM_ASSIGN_OR_RETURN(w.shared_up, LoadMatrix(s.shared_up));
    FM_ASSIGN_OR_RETURN(w.shared_down, LoadMatrix(s.shared_down));
    FM_ASSIGN_OR_RETURN(w.shared_router, LoadRouter(s.shared_router));
    w.experts = s.experts;
    return w;
  }

  const ProgressFn& progress_;
  const CancelFlag* cancel_;
  std::unique_ptr<AsyncReader> reader_;
  std::vector<ReadCompletion> completions_;
  std::byte* cursor_ = nullptr;
  std::byte* end_ = nullptr;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

uint64_t Weights::ResidentBytes(const WeightMap& map) {
  uint64_t bytes = MatrixBytes(map.head ? *map.head : map.embedding) + VectorBytes(map.final_norm);
  for (const LayerSources& layer : map.layers) bytes += WeightLoader::LayerBytes(layer);
  return bytes + 2 * kBlockBytes;
}

Result<Weights> Weights::Load(const WeightMap& map, const ReaderOptions& reader,
                              const ProgressFn& progress, const CancelFlag* cancel) {
  return WeightLoader(progress, cancel).Load(map, reader);
}

Status Weights::Embed(std::span<const int32_t> tokens, DequantizeRow dequantize, float* out) const {
  if (!embedding_on_disk_) {
    for (size_t t = 0; t < tokens.size(); ++t) {
      dequantize(head_, tokens[t], out + t * head_.cols);
    }
    return {};
  }
  const MatrixSource& e = *embedding_on_disk_;
  const auto row_bytes = static_cast<size_t>(e.row_bytes());
  const auto scale_bytes = static_cast<size_t>(e.scale_row_bytes());
  std::vector<std::byte> row(row_bytes + 2 * scale_bytes);
  const std::span<std::byte> data(row);
  Matrix one{e.type, 1, e.cols, row.data(), e.row_bytes()};
  one.group = e.group;
  one.scale_type = e.scale_type;
  one.scales = row.data() + row_bytes;
  one.biases = one.scales + scale_bytes;
  for (size_t t = 0; t < tokens.size(); ++t) {
    const auto id = static_cast<uint64_t>(tokens[t]);
    FM_RETURN_IF_ERROR(e.data.file->ReadAt(e.data.offset + id * row_bytes, data.first(row_bytes)));
    if (e.group != 0) {
      FM_RETURN_IF_ERROR(e.scales.file->ReadAt(e.scales.offset + id * scale_bytes,
                                               data.subspan(row_bytes, scale_bytes)));
      FM_RETURN_IF_ERROR(
          e.biases.file->ReadAt(e.biases.offset + id * scale_bytes, data.last(scale_bytes)));
    }
    dequantize(one, 0, out + t * e.cols);
  }
  return {};
}

}  // namespace flashmoe
