// Any bytes as a chat template, rendered with a small conversation: an error or a text, soon.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const auto chat = flashmoe::ChatTemplate::Parse(source);
  if (!chat.has_value()) {
    FM_CHECK(!chat.error().what.empty());
    return 0;
  }
  static const auto* const request = new nlohmann::ordered_json(nlohmann::ordered_json::parse(R"({
    "messages": [{"role": "system", "content": "s"},
                 {"role": "user", "content": "h\u00e9 <a>"},
                 {"role": "assistant", "content": "", "tool_calls": [
                   {"function": {"name": "f", "arguments": {"x": [1, 2.5, null], "y": true}}}]},
                 {"role": "tool", "content": "12"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "add_generation_prompt": true, "l": [3, 1, 2], "d": {"b": 1, "a": -0.5}, "n": 7})"));
  flashmoe::TemplateLimits limits;
  limits.steps = 20'000;
  limits.depth = 30;
  limits.output_bytes = 1 << 16;
  limits.value_bytes = 1 << 20;
  const auto output = chat->Render(*request, limits);
  FM_CHECK(output.has_value() ? output->size() <= limits.output_bytes
                              : !output.error().what.empty());
  return 0;
}
