#include "synth/random_model.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/thread_pool.h"
#include "synth/random.h"
#include "synth/random_matrix.h"
#include "synth/sample_text.h"
#include "synth/vocabulary.h"
#include "synth/weight_sizes.h"

namespace flashmoe {
namespace {

constexpr int64_t kRowsAtOnce = 64;  // of a thread
// Two times the sample text: then every word of it becomes one token, as common words are in large
// vocabularies.
constexpr size_t kVocabularyText = 1 << 14;

// "attn_q" of "blk.3.attn_q.weight".
std::string_view BaseName(std::string_view name) {
  if (name.starts_with("blk.")) name = name.substr(name.find('.', 4) + 1);
  return name.substr(0, name.find('.'));
}

void FillUniform(Random& random, double low, double high, std::span<std::byte> out) {
  for (size_t at = 0; at < out.size(); at += sizeof(float)) {
    const auto x = static_cast<float>(random.Uniform(low, high));
    std::memcpy(out.data() + at, &x, sizeof x);
  }
}

// A matrix of floats or quantised blocks.
GgufWriter::Provider Rows(std::shared_ptr<const RandomMatrix> matrix, ThreadPool& pool,
                          const CancelFlag* cancel) {
  return [matrix, cancel, &pool](uint64_t offset, std::span<std::byte> out) -> Status {
    if (cancel != nullptr && cancel->IsSet()) {
      return Fail(ErrorCode::kCancelled, "writing was interrupted");
    }
    const auto row_bytes = static_cast<uint64_t>(matrix->row_bytes());
    const auto first = static_cast<int64_t>(offset / row_bytes);
    const auto count = static_cast<int64_t>(out.size() / row_bytes);
    pool.ParallelFor(count, kRowsAtOnce, [&](int64_t begin, int64_t end) {
      matrix->Fill(first + begin, out.subspan(static_cast<size_t>(begin) * row_bytes,
                                              static_cast<size_t>(end - begin) * row_bytes));
    });
    return {};
  };
}

// Small tensors are filled in order, row by row.
using RowFiller = std::function<void(int64_t row, Random& random, std::span<std::byte> out)>;
GgufWriter::Provider RowByRow(size_t row_bytes, uint64_t seed, RowFiller fill) {
  return [=](uint64_t offset, std::span<std::byte> out) -> Status {
    for (auto row = static_cast<int64_t>(offset / row_bytes); !out.empty(); ++row) {
      Random random(seed, static_cast<uint64_t>(row));
      fill(row, random, out.first(row_bytes));
      out = out.subspan(row_bytes);
    }
    return {};
  };
}

// Large rows are chosen more often: they are the popular experts.
RowFiller RouterRow(const ModelConfig& config, double skew) {
  const double bound = kRouterGain * std::sqrt(3.0 / config.hidden);
  const auto head_bytes = static_cast<size_t>(CountBiasColumns(config)) * sizeof(float);
  return [=](int64_t, Random& random, std::span<std::byte> out) {
    const double size = bound * std::exp(skew * random.Normal());
    FillUniform(random, 0, 0, out.first(head_bytes));
    FillUniform(random, -size, size, out.subspan(head_bytes));
  };
}

RowFiller VectorRow(const VectorWeights& weights) {
  return [=](int64_t row, Random& random, std::span<std::byte> out) {
    const bool other = weights.other_from >= 0 && row >= weights.other_from;
    FillUniform(random, other ? -weights.other_bound : weights.low,
                other ? weights.other_bound : weights.high, out);
  };
}

}  // namespace

Result<GgufWriter> BeginRandomModel(const ModelConfig& config) {
  const PreTokenizer pre =
      config.architecture == "qwen35moe" ? PreTokenizer::kQwen35 : PreTokenizer::kQwen2;
  FM_ASSIGN_OR_RETURN(const Vocabulary vocabulary,
                      MakeVocabulary(SampleText(kVocabularyText), pre, config.vocab_rows));
  GgufWriter file;
  AddGgufGeometry(config, file);
  AddVocabulary(vocabulary, pre, file);
  return file;
}

Result<uint64_t> WriteRandomModel(const ModelConfig& config, const RandomModelOptions& options,
                                  const std::string& path, const ProgressFn& progress,
                                  const CancelFlag* cancel) {
  FM_RETURN_IF_ERROR(CheckGgufTypes(config, options.types));
  FM_ASSIGN_OR_RETURN(GgufWriter file, BeginRandomModel(config));
  ThreadPool pool(options.threads);
  uint64_t number = 0;
  for (const TensorSpec& tensor : ListGgufTensors(config)) {
    const std::string_view base = BaseName(tensor.name);
    const DType type = options.types.Of(tensor.role);
    const int64_t cols = tensor.shape.back();
    const uint64_t seed = Random(options.seed, number++).Next();  // a sequence for each tensor
    GgufWriter::Provider fill;
    if (tensor.role == TensorRole::kSmall) {
      const auto row_bytes = static_cast<size_t>(cols) * sizeof(float);
      fill = RowByRow(row_bytes, seed,
                      base == "ffn_gate_inp" ? RouterRow(config, options.routing_skew)
                                             : VectorRow(VectorWeightsOf(base, config)));
    } else {
      const MatrixWeights weights = MatrixWeightsOf(base, cols, config);
      fill = Rows(std::make_shared<RandomMatrix>(type, cols, weights.size, seed, weights.bias),
                  pool, cancel);
    }
    file.AddTensor(tensor.name, type, tensor.shape, std::move(fill));
  }
  FM_RETURN_IF_ERROR(file.WriteFile(path, progress));
  return file.TotalBytes();
}

}  // namespace flashmoe
