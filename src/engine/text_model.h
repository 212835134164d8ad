// The words of a model: tokenizer, chat template, stop tokens and the sampling its makers advise.
// Needs no weights: it works on a GGUF file that holds a vocabulary alone, of any architecture.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "format/model_file.h"
#include "sample/sampler.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace flashmoe {

struct TextModel {
  Tokenizer tokenizer;
  std::optional<ChatTemplate> chat_template;
  std::vector<int32_t> stop_tokens;
  std::optional<int32_t> bos;  // put before a text, by models that were trained so
  SamplingParams sampling;

  // Text that goes to the model as it is, with the bos token where there is one.
  // Offsets `plain`: as for Tokenizer::Encode.
  std::vector<int32_t> Encode(std::string_view text, std::span<const size_t> plain = {}) const;
};

Result<TextModel> LoadTextModel(const ModelFile& file);

// The tokenizer or the template alone, for callers that need no more.
Result<Tokenizer> LoadTokenizer(const ModelFile& file);
Result<ChatTemplate> LoadChatTemplate(const ModelFile& file);

}  // namespace flashmoe
