#include <cstddef>
#include <cstdint>

#include "tests/fuzz/api_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  flashmoe::CheckRequest(flashmoe::ParseAnthropicMessage(body));
  const auto count = flashmoe::ParseAnthropicTokenCount(body);
  FM_CHECK(count.has_value() || !count.error().what.empty());
  return 0;
}
