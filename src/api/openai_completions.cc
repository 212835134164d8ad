// POST /v1/completions: the request.
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "api/api_request.h"
#include "api/common_fields.h"
#include "api/openai_completions_writer.h"
#include "api/openai_fields.h"
#include "text/ordered_json.h"
#include "text/tokenizer.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kStopsMax = 16;
constexpr int64_t kAnyNumber = std::numeric_limits<int64_t>::max();
constexpr int64_t kMaxTokensDefault = 16;  // OpenAI's

// [1, 2, 3]
Result<std::vector<int32_t>> ReadTokens(const Json& json, const std::string& path) {
  std::vector<int32_t> tokens;
  for (const Json& item : json) {
    const bool fits = item.is_number_unsigned() && item.get<uint64_t>() <= Tokenizer::kIdMax;
    if (!fits) {
      return InvalidInput(fmt::format("entry {} is no token", tokens.size()), path,
                          "give a text or an array of ids of tokens");
    }
    tokens.push_back(item.get<int32_t>());
  }
  return tokens;
}

Status ReadPrompt(const Json& json, const std::string& path, CompletionRequest& request) {
  if (json.is_string()) {
    request.prompt = json.get<std::string>();
    return {};
  }
  if (!json.is_array() || json.empty()) {
    return InvalidInput("prompt is neither a text nor an array of tokens", path);
  }
  if (!json[0].is_string() && !json[0].is_array()) {
    FM_ASSIGN_OR_RETURN(request.prompt, ReadTokens(json, path));
    return {};
  }
  // A list of prompts.
  if (json.size() > 1) {
    return Fail(ErrorCode::kUnsupported, fmt::format("{} prompts at once", json.size()), path,
                "ask once for each");
  }
  if (json[0].is_array() && !json[0].empty() && json[0][0].is_structured()) {
    return InvalidInput("prompt is nested too deep", path);
  }
  return ReadPrompt(json[0], path + "[0]", request);
}

void RefuseOtherAnswers(Fields& fields) {
  for (const char* key : {"n", "best_of"}) {
    std::optional<int64_t> count;
    fields.Read(key, count, 1, kAnyNumber);
    if (count.value_or(1) > 1) {
      fields.Fail(ErrorCode::kUnsupported, fmt::format("{} is {}", key, *count), key,
                  "ask once for each answer");
    }
  }
  fields.Refuse("suffix");
}

}  // namespace

Result<ApiRequest> ParseOpenAiCompletion(std::string_view body) {
  FM_ASSIGN_OR_RETURN(const Json json, ParseOrderedJson(body));
  Fields fields(json, "");
  ApiRequest request;
  CompletionRequest completion;
  AnswerOptions& options = completion.options;
  fields.Read("model", request.model);
  RefuseOtherAnswers(fields);
  fields.Require("prompt");
  FM_RETURN_IF_ERROR(fields.status());
  fields.Fail(ReadPrompt(*fields.Find("prompt"), "prompt", completion));
  ReadSampling(fields, options.sampling);
  options.max_tokens = kMaxTokensDefault;
  fields.Read("max_tokens", options.max_tokens, 1, kAnyNumber);
  fields.Read("stop", options.stop, kStopsMax);
  std::optional<int64_t> logprobs;
  fields.Read("logprobs", logprobs, 0, 20);
  options.logprobs = logprobs.has_value();
  options.top_logprobs = static_cast<int>(logprobs.value_or(0));
  if (const Json* format = fields.Find("response_format")) {
    fields.Fail(ReadFormat(*format, fields.Path("response_format"), "json_schema", options.format));
  }
  fields.Read("echo", completion.echo);
  if (completion.echo && options.logprobs) {
    fields.Fail(ErrorCode::kUnsupported, "echo with logprobs", "echo", "leave one of them out");
  }
  const StreamOptions stream = ReadStreamOptions(fields);
  FM_RETURN_IF_ERROR(fields.status());
  request.stream = stream.stream;
  request.make_writer = [logprobs = options.logprobs,
                         usage = stream.include_usage](AnswerHead head) {
    return MakeOpenAiCompletionWriter(std::move(head),
                                      {.logprobs = logprobs, .stream_usage = usage});
  };
  request.input = std::move(completion);
  return request;
}

}  // namespace flashmoe
