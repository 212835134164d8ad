// A request to a chat model, whichever API it came through: what is said, what may be called, and
// how the answer is to be written.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "sample/sampler.h"

namespace flashmoe {

enum class Role { kSystem, kUser, kAssistant, kTool };

struct ToolCall {
  std::string id;  // given by whoever answered; joins a call and its result
  std::string name;
  std::string arguments;  // the text of a JSON object
};

struct ChatMessage {
  Role role = Role::kUser;
  std::string text = {};
  std::string reasoning = {};        // of an assistant; templates drop that of earlier turns
  std::vector<ToolCall> calls = {};  // of an assistant
  std::string tool_call_id = {};     // of a tool: the call that this is the result of
};

struct ChatTool {
  std::string name;
  std::string description;            // may be empty
  nlohmann::ordered_json parameters;  // a JSON Schema of type object; null: none were given
  bool strict = false;                // the caller asked for calls that follow the schema
};

struct ToolChoice {
  enum class Kind {
    kAuto,      // the model decides
    kNone,      // no calls
    kRequired,  // at least one call
    kNamed,     // a call of the tool `name`
  };
  Kind kind = Kind::kAuto;
  std::string name = {};
};

struct ResponseFormat {
  enum class Kind { kText, kJsonObject, kJsonSchema };
  Kind kind = Kind::kText;
  std::string name = {};               // of the schema
  nlohmann::ordered_json schema = {};  // for kJsonSchema
  bool strict = false;  // a constraint that cannot be kept is an error; otherwise it is dropped
};

// What a request says of sampling. What it leaves out is the model's own.
struct SamplingChoices {
  std::optional<float> temperature, top_p, min_p;
  std::optional<float> presence_penalty, frequency_penalty, repetition_penalty;
  std::optional<int32_t> top_k;
  std::optional<uint64_t> seed;  // none: a fresh one for every request
  std::vector<std::pair<int32_t, float>> logit_bias;

  SamplingParams Over(SamplingParams defaults) const;
};

// How an answer is to be written, for chats and for plain completions.
struct AnswerOptions {
  SamplingChoices sampling;
  std::optional<int64_t> max_tokens;
  std::vector<std::string> stop;
  bool logprobs = false;
  int top_logprobs = 0;  // alternatives at each token, with `logprobs`
  ResponseFormat format;
};

struct ChatRequest {
  std::vector<ChatMessage> messages;
  std::vector<ChatTool> tools;
  ToolChoice tool_choice;
  bool parallel_tool_calls = true;
  std::optional<bool> thinking;  // none: as the template has it
  // More variables for the template (nlohmann: null or an object), e.g. preserve_thinking.
  nlohmann::ordered_json template_kwargs;
  AnswerOptions options;

  // Whether calls are looked for in the answer.
  bool MayCallTools() const {
    return !tools.empty() && tool_choice.kind != ToolChoice::Kind::kNone;
  }
};

// A text to be continued as it is.
struct CompletionRequest {
  std::variant<std::string, std::vector<int32_t>> prompt;  // text or tokens
  bool echo = false;                                       // the answer begins with the prompt
  AnswerOptions options;
};

}  // namespace flashmoe
