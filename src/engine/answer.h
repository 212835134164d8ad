// An answer as it grows: logits become tokens, tokens become text, until something ends it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/constraint.h"
#include "engine/generate.h"
#include "engine/logprobs.h"
#include "sample/stop_strings.h"
#include "text/detokenizer.h"

namespace flashmoe {

// What comes of an answer at once. Valid during the call that hands it out.
struct AnswerPiece {
  // May be shown now: whole characters, nothing that could become a stop string. Often empty, and
  // it may belong to tokens before this one.
  std::string_view text = {};
  // -1 in a last piece of text that had been held back. Stop tokens have no piece.
  int32_t token = -1;
  // Before penalties and the like, if GenerateRequest::top_logprobs asks for them.
  double logprob = 0;
  std::span<const TokenLogprob> top = {};  // best first
};

class GrowingAnswer {
 public:
  // Returning false ends the answer, with FinishReason::kStop.
  using OnPiece = std::function<bool(const AnswerPiece&)>;

  // `engine` and `request` must outlive this.
  GrowingAnswer(Engine& engine, const GenerateRequest& request, OnPiece on_piece);

  // Whether the request wants a token at all.
  bool wants_tokens() const { return request_.max_tokens != 0; }

  // Chooses the next token from the logits after the last one, which are scratch afterwards.
  // Returns whether the answer goes on: that token is then the next to go through the model. Fails
  // where the request's grammar leaves nothing to choose.
  Result<bool> Step(std::span<float> logits);

  // Hands out what was held back; the last call. The counts and times of the result are the
  // caller's to fill in.
  GenerateResult Finish(FinishReason reason);
  // Once Step() returned false: why.
  FinishReason finish() const { return finish_; }
  const std::vector<int32_t>& tokens() const { return result_.tokens; }

 private:
  Status Choose(std::span<float> logits, AnswerPiece& piece);
  bool Show(AnswerPiece piece);
  bool IsStop(int32_t token) const;

  const TextModel& text_;
  const GenerateRequest& request_;
  const int32_t valid_vocab_;
  const OnPiece on_piece_;
  Sampler sampler_;
  Constraint constraint_;
  Utf8Stream utf8_;
  StopMatcher stop_;
  std::vector<TokenLogprob> top_;  // of the last token
  GenerateResult result_;
  FinishReason finish_ = FinishReason::kLength;
  bool closed_ = false;  // no text may follow
};

}  // namespace flashmoe
