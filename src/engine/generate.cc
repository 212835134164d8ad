#include "engine/generate.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "engine/answer.h"

namespace flashmoe {
Status Validate(const GenerateRequest& request, const Engine& engine) {
  if (request.prompt.empty()) {
    return InvalidInput("the prompt is empty", {}, "give some text with -p or --file");
  }
  FM_RETURN_IF_ERROR(CheckTokens(request.prompt, engine.model()));
  if (request.top_logprobs > engine.valid_vocab()) {
    return InvalidInput(fmt::format("top_logprobs is {}", request.top_logprobs), {},
                        fmt::format("the vocabulary has {} tokens", engine.valid_vocab()));
  }
  return Validate(request.sampling, engine.valid_vocab());
}

std::string_view Name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "";
}

double GenerateResult::prefill_tokens_per_s() const {
  return ttft_s > 0 ? static_cast<double>(prompt_tokens - prompt_tokens_reused) / ttft_s : 0;
}

double GenerateResult::decode_tokens_per_s() const {
  const auto steps = static_cast<double>(tokens.size()) - 1;  // the first came with the prompt
  return decode_s > 0 && steps > 0 ? steps / decode_s : 0;
}

Result<GenerateResult> Generate(Engine& engine, Session& session, const GenerateRequest& request,
                                const std::function<bool(std::string_view)>& on_text,
                                const ProgressFn& progress, const CancelFlag* cancel) {
  FM_RETURN_IF_ERROR(Validate(request, engine));
  const auto cancelled = [&] { return cancel != nullptr && cancel->IsSet(); };
  GrowingAnswer answer(engine, request, [&](const AnswerPiece& piece) {
    return !on_text || piece.text.empty() || on_text(piece.text);
  });

  const double start = NowSeconds();
  const int64_t reused = session.Reusable(request.prompt);
  Status status = session.Sync(request.prompt, progress);
  if (!status.has_value() && !cancelled()) return std::unexpected(std::move(status).error());

  const double read = NowSeconds();
  double first = read;
  FinishReason reason = FinishReason::kLength;
  while (!cancelled() && answer.wants_tokens()) {
    FM_ASSIGN_OR_RETURN(const bool goes_on, answer.Step(session.logits()));
    if (answer.tokens().size() == 1) first = NowSeconds();
    reason = answer.finish();
    if (!goes_on || std::ssize(session.tokens()) == session.context()) break;
    status = session.Append(answer.tokens().back());
    if (!status.has_value() && !cancelled()) return std::unexpected(std::move(status).error());
  }
  GenerateResult result = answer.Finish(cancelled() ? FinishReason::kCancelled : reason);
  result.prompt_tokens_reused = reused;
  if (!result.tokens.empty()) result.ttft_s = first - start;
  result.decode_s = NowSeconds() - first;
  return result;
}

}  // namespace flashmoe
