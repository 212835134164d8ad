#include "apps/flashmoe/chat_engine.h"

#include <algorithm>

#include "base/clock.h"
#include "chat/output_parser.h"
#include "chat/render_chat.h"
#include "engine/generate.h"

namespace flashmoe::cli {
namespace {

StoreStats Since(const StoreStats& now, const StoreStats& before) {
  StoreStats stats;
  stats.requests = now.requests - before.requests;
  stats.hits = now.hits - before.hits;
  stats.bytes_read = now.bytes_read - before.bytes_read;
  stats.read_s = now.read_s - before.read_s;
  return stats;
}

bool Begins(const std::vector<int32_t>& prompt, const std::vector<int32_t>& tokens) {
  return tokens.size() < prompt.size() && std::equal(tokens.begin(), tokens.end(), prompt.begin());
}

}  // namespace

Result<std::unique_ptr<ChatEngine>> ChatEngine::Load(std::unique_ptr<ModelFile> file,
                                                     EngineOptions options,
                                                     const std::function<bool()>& stop,
                                                     const ProgressFn& progress) {
  std::unique_ptr<ChatEngine> chat(new ChatEngine);
  chat->stop_ = stop;
  chat->progress_ = [engine = chat.get(), progress](const Progress& p) {
    if (engine->stop_()) engine->cancel_.Set();
    if (progress) progress(p);
  };
  FM_ASSIGN_OR_RETURN(TextModel text, LoadTextModel(*file));
  if (!text.chat_template) {
    return Fail(ErrorCode::kNotFound, "the model has no chat template", {},
                "continue texts with flashmoe run --raw");
  }
  options.cancel = &chat->cancel_;
  FM_ASSIGN_OR_RETURN(chat->engine_,
                      Engine::Load(std::move(file), std::move(text), options, chat->progress_));
  FM_ASSIGN_OR_RETURN(Session session, chat->engine_->NewSession());
  chat->session_.emplace(std::move(session));
  return chat;
}

// Templates write an answer differently once another turn follows it (they drop its thinking), so a
// later prompt is like this one up to some token. A trial says which.
int64_t ChatEngine::SharedWithNextTurn(const ChatRequest& request,
                                       const std::vector<int32_t>& prompt) const {
  ChatRequest next = request;
  next.messages.push_back({.role = Role::kAssistant, .text = "Yes."});
  next.messages.push_back({.role = Role::kUser, .text = "And?"});
  const auto rendered = RenderChat(*engine_->text().chat_template, engine_->text().tokenizer, next);
  if (!rendered.has_value()) return 0;
  const std::vector<int32_t> tokens = engine_->text().Encode(rendered->prompt, rendered->plain);
  const auto end = std::mismatch(prompt.begin(), prompt.end(), tokens.begin(), tokens.end()).first;
  return end - prompt.begin();
}

// Brings the session as near to the prompt as what is known allows, and keeps what the next turn
// will want. Returns how many tokens need not be read.
Result<int64_t> ChatEngine::Prepare(const ChatRequest& request,
                                    const std::vector<int32_t>& prompt) {
  if (session_->Reusable(prompt) == 0) {
    if (turn_start_ && Begins(prompt, turn_start_->tokens)) {
      session_->Restore(*turn_start_);
    } else {
      session_->Reset();
      turn_start_.reset();
    }
  }
  const int64_t reused = session_->Reusable(prompt);
  const int64_t shared = SharedWithNextTurn(request, prompt);
  if (shared > reused && shared < static_cast<int64_t>(prompt.size())) {
    FM_RETURN_IF_ERROR(session_->Sync(std::span(prompt).first(shared), progress_));
    turn_start_ = session_->Save();
  }
  return reused;
}

Result<Turn> ChatEngine::Answer(const ChatRequest& request, const OnEvent& on_event) {
  cancel_.Clear();
  const double start = NowSeconds();
  const StoreStats before = engine_->model().store().stats();
  FM_ASSIGN_OR_RETURN(const RenderedChat rendered, RenderChat(*engine_->text().chat_template,
                                                              engine_->text().tokenizer, request));
  GenerateRequest generate;
  generate.prompt = engine_->text().Encode(rendered.prompt, rendered.plain);
  generate.sampling = request.options.sampling.Over(engine_->text().sampling);
  generate.max_tokens = request.options.max_tokens.value_or(-1);
  generate.stop = request.options.stop;

  Turn turn;
  turn.figures.context = session_->context();
  const Result<int64_t> reused = Prepare(request, generate.prompt);
  if (!reused.has_value()) {
    if (!cancel_.IsSet()) return std::unexpected(reused.error());
    turn.stopped = true;
    return turn;
  }
  OutputParser parser(ParserFor(request, rendered));
  AnswerBuilder builder;
  const auto tell = [&](const std::vector<AnswerEvent>& events) {
    for (const AnswerEvent& event : events) {
      builder.Add(event);
      on_event(event);
    }
  };
  const double prepared = NowSeconds();
  const auto on_text = [&](std::string_view piece) {
    tell(parser.Push(piece));
    return !stop_();
  };
  FM_ASSIGN_OR_RETURN(const GenerateResult result,
                      Generate(*engine_, *session_, generate, on_text, progress_, &cancel_));
  tell(parser.Finish());
  turn.stopped = stop_();

  AnswerEnd end;
  if (result.finish == FinishReason::kLength) end.reason = AnswerEnd::Reason::kLength;
  turn.answer = builder.Finish(std::move(end));
  const StoreStats experts = Since(engine_->model().store().stats(), before);
  TurnFigures& figures = turn.figures;
  figures.prompt_tokens = result.prompt_tokens;
  figures.reused_tokens = *reused;
  figures.answer_tokens = static_cast<int64_t>(result.tokens.size());
  figures.ttft_s = result.ttft_s + prepared - start;
  figures.tokens_per_s = result.decode_tokens_per_s();
  figures.expert_requests = experts.requests;
  figures.expert_hits = experts.hits;
  figures.bytes_read = experts.bytes_read;
  figures.read_s = experts.read_s;
  figures.context_used = static_cast<int64_t>(session_->tokens().size());
  return turn;
}

}  // namespace flashmoe::cli
