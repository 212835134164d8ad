// Parts of answers that OpenAI's APIs have in common.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "base/status.h"
#include "chat/answer.h"

namespace flashmoe {

// JSON has no infinity: below this, tokens are as good as impossible.
inline constexpr double kLogprobMin = -9999.0;

// {"token", "logprob", "bytes", "top_logprobs"} for each token.
nlohmann::ordered_json LogprobsJson(std::span<const ChosenToken> tokens);

// prompt_tokens, completion_tokens, total_tokens and their details.
nlohmann::ordered_json UsageJson(const AnswerUsage& usage);

// The last events of a stream: the usage in `chunk`, a chunk's head, if it is wanted; and an error.
std::string StreamEnd(nlohmann::ordered_json chunk, bool with_usage, const AnswerUsage& usage);
std::string StreamError(const Error& error);

// "stop", "length", "tool_calls".
std::string FinishReasonText(AnswerEnd::Reason reason, bool has_calls);

// The id of call number `index` in an answer.
std::string CallId(const std::string& answer_id, int index);

}  // namespace flashmoe
