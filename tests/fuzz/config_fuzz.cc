// Any bytes as a config.json: an error, or an object that can be dumped.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "format/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = flashmoe::ParseJsonObject(text, "config.json");
  if (!config.has_value()) {
    FM_CHECK(!config.error().what.empty());
    return 0;
  }
  FM_CHECK(config->is_object());
  config->dump();
  return 0;
}
