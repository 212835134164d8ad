#include "api/openai_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/api_error.h"
#include "api/sse.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

Json TokenJson(const TokenChoice& choice) {
  Json bytes = Json::array();
  for (const char c : choice.bytes) bytes.push_back(static_cast<unsigned char>(c));
  const double logprob =
      std::isnan(choice.logprob) ? kLogprobMin : std::max(choice.logprob, kLogprobMin);
  return {{"token", choice.bytes}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
}

}  // namespace

Json LogprobsJson(std::span<const ChosenToken> tokens) {
  Json list = Json::array();
  for (const ChosenToken& token : tokens) {
    Json entry = TokenJson(token.chosen);
    Json& top = entry["top_logprobs"] = Json::array();
    for (const TokenChoice& choice : token.top) top.push_back(TokenJson(choice));
    list.push_back(std::move(entry));
  }
  return list;
}

Json UsageJson(const AnswerUsage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}}};
}

std::string StreamEnd(Json chunk, bool with_usage, const AnswerUsage& usage) {
  std::string out;
  if (with_usage) {
    chunk["choices"] = Json::array();
    chunk["usage"] = UsageJson(usage);
    out = SseData(chunk);
  }
  return out + "data: [DONE]\n\n";
}

std::string StreamError(const Error& error) {
  return "data: " + ErrorBody(ApiStyle::kOpenAi, HttpStatus(error.code), error) + "\n\n";
}

std::string FinishReasonText(AnswerEnd::Reason reason, bool has_calls) {
  if (reason == AnswerEnd::Reason::kLength) return "length";
  return has_calls ? "tool_calls" : "stop";
}

std::string CallId(const std::string& answer_id, int index) {
  return fmt::format("call_{}_{}", answer_id, index);
}

}  // namespace flashmoe
