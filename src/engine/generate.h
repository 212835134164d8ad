// A prompt to an answer, token by token.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "grammar/grammar.h"
#include "sample/sampler.h"

namespace flashmoe {

struct GenerateRequest {
  std::vector<int32_t> prompt;
  SamplingParams sampling;
  int64_t max_tokens = -1;          // -1: until the model stops or the context ends
  std::vector<std::string> stop;    // strings that end the answer and are not part of it
  bool ignore_stop_tokens = false;  // for benchmarks
  // What the answer must look like; null: anything. It ends where the grammar does, if not before
  // by max_tokens or `stop`.
  std::shared_ptr<const Grammar> grammar = nullptr;
  // Logarithms of probabilities of the chosen token and of so many of the best; -1: none.
  int top_logprobs = -1;
  // Positions in the prompt, ascending, that later prompts will probably share: the end of system
  // prompt and tools, and where the last turn of the user begins. A scheduler keeps what the model
  // remembers there.
  std::vector<int64_t> checkpoints;
};

// InvalidInput says what is wrong with the request, before anything is computed.
Status Validate(const GenerateRequest& request, const Engine& engine);

enum class FinishReason { kStop, kLength, kCancelled };
std::string_view Name(FinishReason reason);  // "stop", "length", "cancelled"

struct GenerateResult {
  std::vector<int32_t> tokens;  // with the stop token, if one ended the answer
  std::string text;             // without it
  FinishReason finish = FinishReason::kStop;
  std::string stop_string;  // of GenerateRequest::stop, the one that ended the answer, if one did
  int64_t prompt_tokens = 0;
  int64_t prompt_tokens_reused = 0;  // of these, held by the session already
  double ttft_s = 0;                 // until the first token was chosen
  double decode_s = 0;               // from then to the end

  double prefill_tokens_per_s() const;
  double decode_tokens_per_s() const;
};

// `on_text` gets whole UTF-8 characters as they come; returning false ends the answer. After an
// error the session is as Session::Sync leaves it. A set `cancel` ends the answer where it is: the
// result then holds what there was.
Result<GenerateResult> Generate(Engine& engine, Session& session, const GenerateRequest& request,
                                const std::function<bool(std::string_view)>& on_text,
                                const ProgressFn& progress = {},
                                const CancelFlag* cancel = nullptr);

}  // namespace flashmoe
