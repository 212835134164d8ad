#include "apps/flashmoe/chat_engine.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/memory.h"
#include "chat/output_parser.h"
#include "chat/render_chat.h"
#include "engine/generate.h"

namespace flashmoe::cli {
namespace {

// For messages, the templates they go through, and the code of all this.
constexpr uint64_t kChatBytes = 3'000'000;

StoreStats Since(const StoreStats& now, const StoreStats& before) {
  StoreStats stats;
  stats.requests = now.requests - before.requests;
  stats.hits = now.hits - before.hits;
  stats.bytes_read = now.bytes_read - before.bytes_read;
  stats.read_s = now.read_s - before.read_s;
  return stats;
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
  options.checkpoints.whole_sequence = true;
  options.caller_bytes = kChatBytes;
  FM_ASSIGN_OR_RETURN(chat->engine_,
                      Engine::Load(std::move(file), std::move(text), options, chat->progress_));
  FM_ASSIGN_OR_RETURN(Session session, chat->engine_->NewSession());
  chat->session_.emplace(std::move(session));
  chat->served_ = std::make_unique<ServedModel>(chat->engine_->text(), ModelCard{}, -1);
  return chat;
}

int64_t ChatEngine::SharedWith(const ChatRequest& other, const std::vector<int32_t>& prompt) const {
  const auto rendered =
      RenderChat(*engine_->text().chat_template, engine_->text().tokenizer, other);
  if (!rendered.has_value()) return 0;
  const std::vector<int32_t> tokens = engine_->text().Encode(rendered->prompt, rendered->plain);
  const auto end = std::mismatch(prompt.begin(), prompt.end(), tokens.begin(), tokens.end()).first;
  return end - prompt.begin();
}

// Brings the session as near to the prompt as what is known allows, and has kept what later turns
// will want. Returns how many tokens need not be read.
Result<int64_t> ChatEngine::GoBack(const ChatRequest& request, const std::vector<int32_t>& prompt) {
  // Templates write an answer differently once another turn follows it (they drop its thinking), so
  // the next prompt is like this one up to some token only. A trial says which.
  ChatRequest next = request;
  next.messages.push_back({.role = Role::kAssistant, .text = "Yes."});
  next.messages.push_back({.role = Role::kUser, .text = "And?"});
  const int64_t shared = SharedWith(next, prompt);
  if (!engine_->plan().memory.checkpoints_whole) return FromMark(prompt, shared);
  // Other chats begin with the same system prompt and tools.
  ChatRequest other = request;
  std::erase_if(other.messages, [](const ChatMessage& m) { return m.role != Role::kSystem; });
  other.messages.push_back({.role = Role::kUser, .text = "?"});
  const std::array<int64_t, 2> keep = {SharedWith(other, prompt), shared};
  return session_->Recall(*engine_->prefixes(), prompt, keep);
}

// Where there is no memory for a whole conversation. As with checkpoints, what is read again begins
// at a multiple of the unit, so that answers do not depend on the memory.
Result<int64_t> ChatEngine::FromMark(const std::vector<int32_t>& prompt, int64_t shared) {
  const int64_t reused = session_->Rewind(prompt);
  const int64_t mark = shared - shared % kPrefixUnit;
  if (mark > reused && mark < std::ssize(prompt)) {
    FM_RETURN_IF_ERROR(session_->Sync(std::span(prompt).first(mark), progress_));
    session_->Mark();
  }
  return reused;
}

Result<Turn> ChatEngine::Answer(const ChatRequest& request, const OnEvent& on_event) {
  cancel_.Clear();
  const double start = NowSeconds();
  const StoreStats before = engine_->model().store().stats();
  FM_ASSIGN_OR_RETURN(PreparedRequest prepared, served_->Prepare(request));

  Turn turn;
  turn.figures.context = session_->context();
  const Result<int64_t> reused = GoBack(request, prepared.generate.prompt);
  if (!reused.has_value()) {
    if (!cancel_.IsSet()) return std::unexpected(reused.error());
    turn.stopped = true;
    return turn;
  }
  OutputParser parser(std::move(prepared.parser));
  AnswerBuilder builder;
  const auto tell = [&](const std::vector<AnswerEvent>& events) {
    for (const AnswerEvent& event : events) {
      builder.Add(event);
      on_event(event);
    }
  };
  const double known = NowSeconds();
  const auto on_text = [&](std::string_view piece) {
    tell(parser.Push(piece));
    return !stop_();
  };
  FM_ASSIGN_OR_RETURN(const GenerateResult result, Generate(*engine_, *session_, prepared.generate,
                                                            on_text, progress_, &cancel_));
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
  figures.ttft_s = result.ttft_s + known - start;
  figures.tokens_per_s = result.decode_tokens_per_s();
  figures.expert_requests = experts.requests;
  figures.expert_hits = experts.hits;
  figures.bytes_read = experts.bytes_read;
  figures.read_s = experts.read_s;
  figures.context_used = static_cast<int64_t>(session_->tokens().size());
  ReleaseUnusedMemory();  // that prompts were rendered in
  return turn;
}

}  // namespace flashmoe::cli
