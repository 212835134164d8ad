// A model's own chat template, rendered as the reference library does (Jinja2, sandboxed, with
// trim_blocks and lstrip_blocks). Templates come with model files and are untrusted: steps, depth
// and output are limited.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace flashmoe {

struct TemplateLimits {
  uint64_t steps = 20'000'000;  // evaluated nodes, and every 64 bytes that are copied
  int depth = 100;              // of macro calls
  uint64_t output_bytes = 64 << 20;
  uint64_t value_bytes = 256 << 20;  // held at once by the template's values, the request included
};

class ChatTemplate {
 public:
  static Result<ChatTemplate> Parse(std::string_view source);
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // `request`: {"messages": [...], "tools": [...], "enable_thinking": ..., "add_generation_prompt":
  // ..., "chat_template_kwargs": {...}, anything else the template reads}. Members become template
  // variables; `arguments` of tool calls given as a JSON string are parsed first. An error of the
  // template's own raise_exception() carries its message.
  Result<std::string> Render(const nlohmann::ordered_json& request,
                             const TemplateLimits& limits = {}) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flashmoe
