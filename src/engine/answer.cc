#include "engine/answer.h"

#include <algorithm>

namespace flashmoe {

GrowingAnswer::GrowingAnswer(Engine& engine, const GenerateRequest& request, OnPiece on_piece)
    : text_(engine.text()),
      request_(request),
      valid_vocab_(engine.valid_vocab()),
      on_piece_(std::move(on_piece)),
      sampler_(request.sampling, valid_vocab_),
      constraint_(request.grammar, request.grammar ? engine.token_trie() : nullptr),
      stop_(request.stop) {
  sampler_.SeePrompt(request.prompt);
  result_.prompt_tokens = std::ssize(request.prompt);
}

Result<bool> GrowingAnswer::Step(std::span<float> logits) {
  AnswerPiece piece;
  FM_RETURN_IF_ERROR(Choose(logits.first(static_cast<size_t>(valid_vocab_)), piece));
  result_.tokens.push_back(piece.token);
  if (!request_.ignore_stop_tokens && IsStop(piece.token)) {
    finish_ = FinishReason::kStop;
    return false;
  }
  const StopMatcher::Output out = stop_.Push(utf8_.Push(text_.tokenizer.Bytes(piece.token)));
  piece.text = out.emit;
  closed_ = !Show(piece) || out.stopped;
  if (closed_ || constraint_.IsComplete()) {
    finish_ = FinishReason::kStop;
    return false;
  }
  return std::ssize(result_.tokens) != request_.max_tokens;
}

Status GrowingAnswer::Choose(std::span<float> logits, AnswerPiece& piece) {
  std::vector<float> before;
  double log_sum = 0;
  if (request_.top_logprobs >= 0) {
    log_sum = LogSumExp(logits);
    top_ = BestLogprobs(logits, log_sum, request_.top_logprobs);
    piece.top = top_;
    before.assign(logits.begin(), logits.end());
  }
  FM_RETURN_IF_ERROR(constraint_.Mask(logits));
  piece.token = sampler_.Sample(logits);
  FM_RETURN_IF_ERROR(constraint_.Accept(piece.token));
  if (!before.empty()) piece.logprob = before[static_cast<size_t>(piece.token)] - log_sum;
  return {};
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
  result_.stop_string = stop_.found();
  return std::move(result_);
}

}  // namespace flashmoe
