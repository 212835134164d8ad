// A loaded model as those who ask it see it: what requests become before they are run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/api_request.h"
#include "api/models_list.h"
#include "base/status.h"
#include "chat/output_parser.h"
#include "chat/render_chat.h"
#include "engine/generate.h"
#include "engine/text_model.h"
#include "serve/grammar_cache.h"

namespace flashmoe {

// A request, ready for the scheduler, and what is needed to read its answer.
struct PreparedRequest {
  GenerateRequest generate;
  OutputParserOptions parser;
  bool is_chat = true;         // else there is nothing to parse: all is text
  std::string echo;            // what the answer begins with
  bool logprobs = false;       // are part of the answer
  bool parallel_calls = true;  // false: one call ends the answer
};

// Thread-safe.
class ServedModel {
 public:
  // `text` must outlive this. `answer_tokens_max` -1: up to the end of the context.
  ServedModel(const TextModel& text, ModelCard card, int64_t answer_tokens_max);

  const ModelCard& card() const { return card_; }
  const TextModel& text() const { return text_; }

  Result<PreparedRequest> Prepare(const ApiRequest& request) const;
  Result<PreparedRequest> Prepare(const ChatRequest& request) const;
  Result<int64_t> CountTokens(const ChatRequest& request) const;

 private:
  Result<PreparedRequest> Prepare(const CompletionRequest& request) const;
  Result<RenderedChat> Render(const ChatRequest& request) const;
  void Apply(const AnswerOptions& options, GenerateRequest& generate) const;

  const TextModel& text_;
  ModelCard card_;
  int64_t answer_tokens_max_;
  ToolCallForm tool_form_;
  mutable GrammarCache grammars_;
};

// Which of the known forms a model's template teaches; asked of the template itself.
ToolCallForm FindToolCallForm(const ChatTemplate& chat_template);

// The prompt's tokens; its reuse points become positions.
std::vector<int32_t> EncodeWithPoints(const TextModel& text, const RenderedChat& rendered,
                                      std::vector<int64_t>& positions);

}  // namespace flashmoe
