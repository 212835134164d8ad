// Writes a random model of the geometry of Qwen3.5-35B-A3B with few layers, which llama.cpp loads
// as well. Activations stay of unit size and what layers add is small beside the embedding, so that
// routing follows the token as it does in a trained model.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "format/gguf_writer.h"
#include "format/model_file.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace flashmoe {
namespace {

constexpr uint32_t kHidden = 2048, kHeads = 16, kKvHeads = 2, kHeadDim = 256, kRotary = 64;
constexpr uint32_t kKeyHeads = 16, kValueHeads = 32, kStateDim = 128, kTaps = 4;
constexpr uint32_t kExperts = 256, kExpertsPerToken = 8, kWidth = 512, kAttentionEvery = 4;
constexpr int64_t kValues = int64_t{kValueHeads} * kStateDim;
constexpr int64_t kChannels = 2 * int64_t{kKeyHeads} * kStateDim + kValues;
// What a layer adds, beside an embedding of size 1.
constexpr double kAdded = 0.15;

// SplitMix64: fast enough to write at the disk's speed.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  double Uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(Next() >> 11) * 0x1p-53;
  }
  void Fill(std::span<std::byte> out) {
    for (size_t i = 0; i < out.size(); i += 8) {
      const uint64_t word = Next();
      std::memcpy(out.data() + i, &word, std::min<size_t>(8, out.size() - i));
    }
  }

 private:
  uint64_t state_;
};

// Gives a block of random bytes scales such that its weights have the standard deviation `sigma`.
// Uniform integers of b bits deviate by 2^b / sqrt(12).
void SetScales(DType type, std::byte* block, double sigma) {
  const double unit = sigma * std::sqrt(12.0);
  const auto half = [](double x) { return F32ToF16(static_cast<float>(x)); };
  if (type == DType::kQ4_0) {
    reinterpret_cast<BlockQ4_0*>(block)->d = half(unit / 16);
  } else if (type == DType::kQ8_0) {
    reinterpret_cast<BlockQ8_0*>(block)->d = half(unit / 256);
  } else if (type == DType::kQ6_K) {
    auto* b = reinterpret_cast<BlockQ6_K*>(block);
    std::fill(std::begin(b->scales), std::end(b->scales), int8_t{32});
    b->d = half(unit / 64 / 32);
  } else if (type == DType::kQ4_K) {
    auto* b = reinterpret_cast<BlockQ4_K*>(block);  // every s and m is 32: w = 32 (d q - dmin)
    std::fill_n(b->scales, 8, uint8_t{0xa0});
    std::fill_n(b->scales + 8, 4, uint8_t{0});
    b->d = half(unit / 16 / 32);
    b->dmin = half(7.5 * unit / 16 / 32);
  }
}

class ModelWriter {
 public:
  ModelWriter(uint32_t layers, DType experts, DType dense, int64_t vocab)
      : layers_(layers), experts_(experts), dense_(dense), vocab_(vocab) {}

  GgufWriter& file() { return file_; }

  void AddAll() {
    AddMetadata();
    Weight("token_embd.weight", dense_, {vocab_, kHidden}, 1.0);
    Weight("output.weight", dense_, {vocab_, kHidden}, 2 / std::sqrt(kHidden));
    Floats("output_norm.weight", {kHidden}, 0.9, 1.1);
    for (uint32_t layer = 0; layer < layers_; ++layer) {
      prefix_ = fmt::format("blk.{}.", layer);
      Floats("attn_norm.weight", {kHidden}, 0.9, 1.1);
      Floats("post_attention_norm.weight", {kHidden}, 0.9, 1.1);
      (layer + 1) % kAttentionEvery == 0 ? AddAttention() : AddDeltaNet();
      AddExperts();
    }
  }

 private:
  void AddMetadata() {
    const std::string p = "qwen35moe.";
    file_.Add("general.architecture", "qwen35moe");
    file_.Add("general.name", "random");
    file_.Add(p + "block_count", layers_);
    file_.Add(p + "context_length", uint32_t{262144});
    file_.Add(p + "embedding_length", kHidden);
    file_.Add(p + "attention.head_count", kHeads);
    file_.Add(p + "attention.head_count_kv", kKvHeads);
    file_.Add(p + "attention.key_length", kHeadDim);
    file_.Add(p + "attention.value_length", kHeadDim);
    file_.Add(p + "attention.layer_norm_rms_epsilon", 1e-6f);
    file_.Add(p + "rope.dimension_count", kRotary);
    file_.Add(p + "rope.dimension_sections", std::vector<int32_t>{11, 11, 10, 0});
    file_.Add(p + "rope.freq_base", 1e7f);
    file_.Add(p + "expert_count", kExperts);
    file_.Add(p + "expert_used_count", kExpertsPerToken);
    file_.Add(p + "expert_feed_forward_length", kWidth);
    file_.Add(p + "expert_shared_feed_forward_length", kWidth);
    file_.Add(p + "ssm.conv_kernel", kTaps);
    file_.Add(p + "ssm.state_size", kStateDim);
    file_.Add(p + "ssm.group_count", kKeyHeads);
    file_.Add(p + "ssm.time_step_rank", kValueHeads);
    file_.Add(p + "ssm.inner_size", static_cast<uint32_t>(kValues));
    file_.Add(p + "full_attention_interval", kAttentionEvery);
  }

  void AddAttention() {
    Matrix("attn_q", dense_, {kHeads * kHeadDim * 2, kHidden});
    Matrix("attn_k", dense_, {kKvHeads * kHeadDim, kHidden});
    Matrix("attn_v", dense_, {kKvHeads * kHeadDim, kHidden});
    Matrix("attn_output", dense_, {kHidden, kHeads * kHeadDim}, kAdded);
    Floats("attn_q_norm.weight", {kHeadDim}, 0.9, 1.1);
    Floats("attn_k_norm.weight", {kHeadDim}, 0.9, 1.1);
  }

  void AddDeltaNet() {
    Matrix("attn_qkv", dense_, {kChannels, kHidden});
    Matrix("attn_gate", dense_, {kValues, kHidden});
    Matrix("ssm_alpha", dense_, {kValueHeads, kHidden}, 0.3);
    Matrix("ssm_beta", dense_, {kValueHeads, kHidden});
    Matrix("ssm_out", dense_, {kHidden, kValues}, kAdded);
    Floats("ssm_conv1d.weight", {kChannels, kTaps}, -1.0, 1.0);
    Floats("ssm_dt.bias", {kValueHeads}, -4.0, 0.0);
    Floats("ssm_a", {kValueHeads}, -2.0, -0.05);
    Floats("ssm_norm.weight", {kStateDim}, 0.9, 1.1);
  }

  void AddExperts() {
    Matrix("ffn_gate_inp", DType::kF32, {kExperts, kHidden}, 1.5);
    Matrix("ffn_gate_exps", experts_, {kExperts, kWidth, kHidden});
    Matrix("ffn_up_exps", experts_, {kExperts, kWidth, kHidden});
    Matrix("ffn_down_exps", experts_, {kExperts, kHidden, kWidth}, 4 * kAdded);
    Floats("ffn_gate_inp_shexp.weight", {kHidden}, -0.03, 0.03);
    Matrix("ffn_gate_shexp", dense_, {kWidth, kHidden});
    Matrix("ffn_up_shexp", dense_, {kWidth, kHidden});
    Matrix("ffn_down_shexp", dense_, {kHidden, kWidth}, kAdded);
  }

  // Its outputs have about `gain` times the size of its inputs.
  void Matrix(const std::string& name, DType type, const std::vector<int64_t>& shape,
              double gain = 1.0) {
    Weight(prefix_ + name + ".weight", type, shape,
           gain / std::sqrt(static_cast<double>(shape.back())));
  }

  void Weight(const std::string& name, DType type, const std::vector<int64_t>& shape,
              double sigma) {
    if (type == DType::kF32)
      return Uniform(name, shape, -sigma * std::sqrt(3), sigma * std::sqrt(3));
    auto random = std::make_shared<Random>(seed_++);
    const auto block_bytes = static_cast<size_t>(GetInfo(type).block_bytes);
    file_.AddTensor(name, type, shape, [=](uint64_t, std::span<std::byte> out) -> Status {
      random->Fill(out);
      for (size_t at = 0; at < out.size(); at += block_bytes) {
        SetScales(type, out.data() + at, sigma * random->Uniform(0.7, 1.3));
      }
      return {};
    });
  }

  void Floats(const std::string& name, const std::vector<int64_t>& shape, double low, double high) {
    Uniform(name == "output_norm.weight" ? name : prefix_ + name, shape, low, high);
  }

  void Uniform(const std::string& name, const std::vector<int64_t>& shape, double low,
               double high) {
    auto random = std::make_shared<Random>(seed_++);
    file_.AddTensor(name, DType::kF32, shape, [=](uint64_t, std::span<std::byte> out) -> Status {
      for (size_t at = 0; at < out.size(); at += sizeof(float)) {
        const auto x = static_cast<float>(random->Uniform(low, high));
        std::memcpy(out.data() + at, &x, sizeof x);
      }
      return {};
    });
  }

  GgufWriter file_;
  uint32_t layers_;
  DType experts_, dense_;
  int64_t vocab_;
  std::string prefix_;
  uint64_t seed_ = 1;
};

// Copies the tokenizer's keys in the types that llama.cpp expects.
void CopyTokenizer(const nlohmann::json& metadata, GgufWriter& file) {
  for (const auto& [key, value] : metadata.items()) {
    if (!key.starts_with("tokenizer.")) continue;
    if (value.is_string()) {
      file.Add(key, value.get<std::string>());
    } else if (value.is_boolean()) {
      file.Add(key, value.get<bool>());
    } else if (value.is_number_integer()) {
      file.Add(key, value.get<uint32_t>());
    } else if (value.is_array() && !value.empty() && value[0].is_string()) {
      file.Add(key, value.get<std::vector<std::string>>());
    } else if (value.is_array() && !value.empty() && value[0].is_number_integer()) {
      file.Add(key, value.get<std::vector<int32_t>>());
    }
  }
}

Result<DType> TypeOf(const std::string& name) {
  const std::optional<DType> type = DTypeFromName(name);
  for (const DType known : {DType::kF32, DType::kQ4_0, DType::kQ8_0, DType::kQ4_K, DType::kQ6_K}) {
    if (type == known) return known;
  }
  return InvalidInput(fmt::format("type '{}' is not among those written here", name), {},
                      "give q4_0, q8_0, q4_k, q6_k or f32");
}

struct Flags {
  uint32_t layers = 8;
  std::string experts_type = "q4_0", dense_type = "q8_0";
  std::string vocab_from, out;
};

Status Write(const Flags& flags) {
  FM_ASSIGN_OR_RETURN(const DType experts, TypeOf(flags.experts_type));
  FM_ASSIGN_OR_RETURN(const DType dense, TypeOf(flags.dense_type));
  FM_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFile> vocab, ModelFile::Open(flags.vocab_from));
  const auto tokens = vocab->metadata().find("tokenizer.ggml.tokens");
  if (tokens == vocab->metadata().end() || tokens->empty()) {
    return InvalidInput("there is no vocabulary", flags.vocab_from,
                        "give a GGUF file that has one");
  }
  ModelWriter writer(flags.layers, experts, dense, static_cast<int64_t>(tokens->size()));
  writer.AddAll();
  CopyTokenizer(vocab->metadata(), writer.file());
  return writer.file().WriteFile(flags.out);
}

}  // namespace
}  // namespace flashmoe

int main(int argc, char** argv) {
  flashmoe::Flags flags;
  CLI::App app("Writes a random model of Qwen3.5-35B-A3B's geometry");
  app.add_option("--layers", flags.layers, "Layers; each fourth is attention")
      ->check(CLI::Range(1, 40));
  app.add_option("--experts-type", flags.experts_type, "q4_0, q4_k, q6_k or q8_0");
  app.add_option("--dense-type", flags.dense_type, "Type of all other matrices");
  app.add_option("--vocab-from", flags.vocab_from, "GGUF file whose tokenizer to take")->required();
  app.add_option("--out", flags.out, "File to write")->required();
  CLI11_PARSE(app, argc, argv);
  const flashmoe::Status status = flashmoe::Write(flags);
  if (status.has_value()) return 0;
  fmt::print(stderr, "{}\n", status.error().ToString());
  return 1;
}
