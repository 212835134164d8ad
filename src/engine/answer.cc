#include "engine/answer.h"

#include <algorithm>

namespace flashmoe {

GrowingAnswer::GrowingAnswer(const TextModel& text, int32_t valid_vocab,
                             const GenerateRequest& request, OnPiece on_piece)
    : text_(text),
      request_(request),
      valid_vocab_(valid_vocab),
      on_piece_(std::move(on_piece)),
      sampler_(request.sampling, valid_vocab),
      stop_(request.stop) {
  sampler_.SeePrompt(request.prompt);
  result_.prompt_tokens = std::ssize(request.prompt);
}

bool GrowingAnswer::Step(std::span<float> logits) {
  AnswerPiece piece;
  piece.token = Choose(logits.first(static_cast<size_t>(valid_vocab_)), piece);
  result_.tokens.push_back(piece.token);
  if (!request_.ignore_stop_tokens && IsStop(piece.token)) {
    finish_ = FinishReason::kStop;
    return false;
  }
  const StopMatcher::Output out = stop_.Push(utf8_.Push(text_.tokenizer.Bytes(piece.token)));
  piece.text = out.emit;
  closed_ = !Show(piece) || out.stopped;
  if (closed_) {
    finish_ = FinishReason::kStop;
    return false;
  }
  return std::ssize(result_.tokens) != request_.max_tokens;
}

// What limits the choice (a grammar, say) comes in between the logits and the sampler.
int32_t GrowingAnswer::Choose(std::span<float> logits, AnswerPiece& piece) {
  if (request_.top_logprobs < 0) return sampler_.Sample(logits);
  const double log_sum = LogSumExp(logits);
  top_ = BestLogprobs(logits, log_sum, request_.top_logprobs);
  piece.top = top_;
  const std::vector<float> before(logits.begin(), logits.end());
  const int32_t token = sampler_.Sample(logits);
  piece.logprob = before[static_cast<size_t>(token)] - log_sum;
  return token;
}

bool GrowingAnswer::Show(AnswerPiece piece) {
  result_.text += piece.text;
  return !on_piece_ || on_piece_(piece);
}

bool GrowingAnswer::IsStop(int32_t token) const {
  return std::ranges::find(text_.stop_tokens, token) != text_.stop_tokens.end();
}

GenerateResult GrowingAnswer::Finish(FinishReason reason) {
  if (!closed_) {
    closed_ = true;
    const StopMatcher::Output last = stop_.Push(utf8_.Finish());
    std::string rest = last.emit;
    if (!last.stopped) rest += stop_.Finish();
    if (!rest.empty()) Show({.text = rest});
  }
  result_.finish = reason;
  return std::move(result_);
}

}  // namespace flashmoe
