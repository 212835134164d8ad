#include "engine/model_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "state/digest.h"

namespace flashmoe {
namespace {

constexpr uint64_t kSamples = 256;
constexpr uint64_t kSampleBytes = 4096;

// What of the geometry is in no tensor's shape.
std::string Geometry(const ModelConfig& c) {
  return fmt::format("{} {} {} {} {} {} {}\n", c.layers, c.heads, c.kv_heads, c.rotary_dims,
                     c.rope_theta, c.rms_eps, c.experts_per_token);
}

}  // namespace

Result<Digest> ModelIdentity(const ModelFile& file, const ModelConfig& config,
                             std::string_view computed) {
  std::string text = fmt::format("{}\n", computed) + Geometry(config);
  for (const TensorInfo& tensor : file.tensors()) {
    text += fmt::format("{} {} {}\n", tensor.name, static_cast<int>(tensor.type), tensor.bytes);
  }
  std::vector<std::byte> samples;
  for (const auto& part : file.files()) {
    text += fmt::format("{}\n", part->size());
    for (uint64_t i = 0; i < kSamples; ++i) {
      const uint64_t bytes = std::min(kSampleBytes, part->size());
      const uint64_t offset = (part->size() - bytes) / kSamples * i;
      samples.resize(samples.size() + bytes);
      FM_RETURN_IF_ERROR(part->ReadAt(offset, std::span(samples).last(bytes)));
    }
    const Digest digest = DigestOf(samples);
    text += fmt::format("{:x} {:x}\n", digest.low, digest.high);
    samples.clear();
  }
  return DigestOf(std::as_bytes(std::span(text)));
}

}  // namespace flashmoe
