#include "tests/support/to_mlx.h"

#include <fmt/format.h>

#include "tests/support/quantise.h"

namespace flashmoe {
namespace {

bool IsNorm(const std::string& name) {
  return name.ends_with("norm.weight") && !name.ends_with("linear_attn.norm.weight");
}

class MlxConverter {
 public:
  MlxConverter(const HubModel& model, const MlxOptions& options)
      : options_(options), copy_{model, model} {
    copy_.mlx.tensors.clear();
    copy_.floats.tensors.clear();
    copy_.mlx.config["quantization"] = {
        {"group_size", options.group}, {"bits", options.bits("")}, {"mode", "affine"}};
    for (const auto& [name, tensor] : model.tensors) Convert(name, tensor);
  }

  MlxCopy Take() && { return std::move(copy_); }

 private:
  void Convert(const std::string& name, const StoredTensor& tensor) {
    const std::string mlx_name = "language_model." + name;
    if (name.ends_with("experts.gate_up_proj")) return GateUp(name, tensor);
    if (name.ends_with("experts.down_proj")) {
      const std::string p = mlx_name.substr(0, mlx_name.size() - 17);
      return Floats(name, tensor.shape,
                    Quantise(p + "switch_mlp.down_proj", tensor.shape, tensor.Floats()));
    }
    if (IsNorm(name)) return Norm(name, tensor);
    if (name.ends_with("conv1d.weight")) {
      StoredTensor& conv = copy_.mlx.tensors[mlx_name] = tensor;
      conv.shape = {tensor.shape[0], 4, 1};
      return Floats(name, tensor.shape, tensor.Floats());
    }
    if (tensor.shape.size() == 2) {
      const std::string base = mlx_name.substr(0, mlx_name.size() - 7);
      return Floats(name, tensor.shape, Quantise(base, tensor.shape, tensor.Floats()));
    }
    copy_.mlx.tensors[mlx_name] = tensor;
    Floats(name, tensor.shape, tensor.Floats());
  }

  // The stored weight is 1 + w, rounded to BF16; the plain copy holds what that is less 1.
  void Norm(const std::string& name, const StoredTensor& tensor) {
    std::vector<float> w = tensor.Floats();
    for (float& v : w) v += 1.0f;
    StoredTensor& stored = copy_.mlx.tensors["language_model." + name] =
        StoredTensor::FromFloats(tensor.shape, w, "BF16");
    w = stored.Floats();
    for (float& v : w) v -= 1.0f;
    Floats(name, tensor.shape, w);
  }

  void GateUp(const std::string& name, const StoredTensor& tensor) {
    const int64_t experts = tensor.shape[0], width = tensor.shape[1] / 2, cols = tensor.shape[2];
    const std::vector<float> both = tensor.Floats();
    const int64_t half = width * cols;
    std::vector<float> parts[2];
    for (int64_t i = 0; i < 2 * experts; ++i) {
      parts[i % 2].insert(parts[i % 2].end(), both.begin() + i * half,
                          both.begin() + (i + 1) * half);
    }
    const std::string p = "language_model." + name.substr(0, name.size() - 20) + "switch_mlp.";
    const std::vector<int64_t> shape = {experts, width, cols};
    parts[0] = Quantise(p + "gate_proj", shape, parts[0]);
    parts[1] = Quantise(p + "up_proj", shape, parts[1]);
    std::vector<float> joined;
    for (int64_t i = 0; i < 2 * experts; ++i) {
      const auto from = parts[i % 2].begin() + i / 2 * half;
      joined.insert(joined.end(), from, from + half);
    }
    Floats(name, tensor.shape, joined);
  }

  // Stores weight, scales and biases; returns what they stand for.
  std::vector<float> Quantise(const std::string& base, std::vector<int64_t> shape,
                              const std::vector<float>& values) {
    const int64_t cols = shape.back();
    int group = options_.group;
    while (cols % group != 0) group /= 2;
    const int bits = options_.bits(base);
    MlxMatrix m = EncodeMlx(values, bits, group);
    shape.back() = cols * bits / 32;
    copy_.mlx.tensors[base + ".weight"] = {"U32", shape, std::move(m.packed)};
    shape.back() = cols / group;
    copy_.mlx.tensors[base + ".scales"] = {"BF16", shape, std::move(m.scales)};
    copy_.mlx.tensors[base + ".biases"] = {"BF16", shape, std::move(m.biases)};
    copy_.mlx.config["quantization"][base] = {{"group_size", group}, {"bits", bits}};
    return std::move(m.values);
  }

  void Floats(const std::string& name, const std::vector<int64_t>& shape,
              const std::vector<float>& values) {
    copy_.floats.tensors[name] = StoredTensor::FromFloats(shape, values);
  }

  const MlxOptions& options_;
  MlxCopy copy_;
};

}  // namespace

MlxCopy MakeMlx(const HubModel& model, const MlxOptions& options) {
  return MlxConverter(model, options).Take();
}

}  // namespace flashmoe
