// GET /v1/models, in a form that clients of OpenAI and of Anthropic both understand.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace flashmoe {

struct ModelCard {
  std::string id;
  int64_t created_s = 0;       // since 1970
  int64_t context_tokens = 0;  // 0: not said
};

std::string ModelsBody(std::span<const ModelCard> models);
std::string ModelBody(const ModelCard& model);  // GET /v1/models/{id}

}  // namespace flashmoe
