#include "engine/generate.h"

#include <algorithm>

#include "base/clock.h"
#include "engine/constraint.h"
#include "sample/stop_strings.h"
#include "text/detokenizer.h"

namespace flashmoe {
namespace {

// Turns tokens into text that may be shown: whole characters, nothing that could become a stop
// string.
class TextOutput {
 public:
  TextOutput(const GenerateRequest& request, const std::function<bool(std::string_view)>& on_text,
             std::string& text)
      : stop_(request.stop), on_text_(on_text), text_(text) {}

  // Returns whether to go on.
  bool Push(std::string_view bytes) { return Emit(stop_.Push(utf8_.Push(bytes))); }

  void Finish() {
    if (ended_) return;
    if (Emit(stop_.Push(utf8_.Finish()))) Show(stop_.Finish());
  }

 private:
  bool Emit(const StopMatcher::Output& piece) {
    ended_ = !Show(piece.emit) || piece.stopped;
    return !ended_;
  }
  bool Show(std::string_view piece) {
    if (piece.empty()) return true;
    text_ += piece;
    return !on_text_ || on_text_(piece);
  }

  Utf8Stream utf8_;
  StopMatcher stop_;
  const std::function<bool(std::string_view)>& on_text_;
  std::string& text_;
  bool ended_ = false;
};

bool IsStop(const TextModel& text, int32_t token) {
  return std::find(text.stop_tokens.begin(), text.stop_tokens.end(), token) !=
         text.stop_tokens.end();
}

}  // namespace

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
  if (request.prompt.empty()) {
    return InvalidInput("the prompt is empty", {}, "give some text with -p or --file");
  }
  FM_RETURN_IF_ERROR(Validate(request.sampling, engine.valid_vocab()));
  const auto cancelled = [&] { return cancel != nullptr && cancel->IsSet(); };
  const TextModel& text = engine.text();
  GenerateResult result;
  result.prompt_tokens = static_cast<int64_t>(request.prompt.size());
  Sampler sampler(request.sampling, engine.valid_vocab());
  sampler.SeePrompt(request.prompt);
  TextOutput output(request, on_text, result.text);
  Constraint constraint(request.grammar, request.grammar ? engine.token_trie() : nullptr);

  const double start = NowSeconds();
  result.prompt_tokens_reused = session.Reusable(request.prompt);
  Status status = session.Sync(request.prompt, progress);
  if (!status.has_value() && !cancelled()) return std::unexpected(std::move(status).error());

  result.finish = cancelled() ? FinishReason::kCancelled : FinishReason::kLength;
  double first = NowSeconds();
  while (!cancelled() && request.max_tokens != 0) {
    FM_RETURN_IF_ERROR(constraint.Mask(session.logits()));
    const int32_t token = sampler.Sample(session.logits());
    FM_RETURN_IF_ERROR(constraint.Accept(token));
    if (result.tokens.empty()) {
      first = NowSeconds();
      result.ttft_s = first - start;
    }
    result.tokens.push_back(token);
    const bool stop = !request.ignore_stop_tokens && IsStop(text, token);
    if (stop || !output.Push(text.tokenizer.Bytes(token)) || constraint.IsComplete()) {
      result.finish = FinishReason::kStop;
      break;
    }
    if (static_cast<int64_t>(result.tokens.size()) == request.max_tokens) break;
    if (static_cast<int64_t>(session.tokens().size()) == session.context()) break;
    status = session.Append(token);
    if (cancelled()) {
      result.finish = FinishReason::kCancelled;
      break;
    }
    if (!status.has_value()) return std::unexpected(std::move(status).error());
  }
  output.Finish();
  result.decode_s = NowSeconds() - first;
  return result;
}

}  // namespace flashmoe
