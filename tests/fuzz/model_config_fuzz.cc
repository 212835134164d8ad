// Any JSON as the metadata of a model, as config.json and as GGUF keys: an error that says what is
// wrong, or a geometry whose sizes can be computed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "format/json_text.h"
#include "model/config.h"
#include "model/config_limits.h"

namespace {

using flashmoe::ModelConfig;
namespace limits = flashmoe::limits;

void Check(const flashmoe::Result<ModelConfig>& config) {
  if (!config.has_value()) {
    FM_CHECK(!config.error().what.empty());
    FM_CHECK(!config.error().ToString().empty());
    return;
  }
  const ModelConfig& c = *config;
  FM_CHECK(c.layers >= 1 && c.layers <= limits::kLayers);
  FM_CHECK(c.layer_kinds.size() == static_cast<size_t>(c.layers));
  FM_CHECK(c.hidden >= 8 && c.hidden <= limits::kHidden);
  FM_CHECK(c.experts >= 1 && c.experts <= limits::kExperts);
  FM_CHECK(c.experts_per_token >= 1 && c.experts_per_token <= c.experts);
  FM_CHECK(c.expert_width >= 8 && c.expert_width <= limits::kWidth);
  FM_CHECK(c.context_max >= 1 && c.context_max <= limits::kContext);
  if (c.CountLayers(flashmoe::LayerKind::kAttention) > 0) {
    FM_CHECK(c.heads >= 1 && c.kv_heads >= 1 && c.heads % c.kv_heads == 0);
    FM_CHECK(c.rotary_dims >= 2 && c.rotary_dims <= c.head_dim);
  }
  if (c.CountLayers(flashmoe::LayerKind::kDeltaNet) > 0) {
    FM_CHECK(c.key_heads >= 1 && c.value_heads % c.key_heads == 0);
    FM_CHECK(c.conv_channels() > 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = flashmoe::ParseJsonObject(text, "config.json");
  if (!json.has_value()) return 0;
  Check(flashmoe::ReadHfConfig(*json));
  Check(flashmoe::ReadGgufConfig(*json));
  return 0;
}
