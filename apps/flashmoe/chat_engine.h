// Chat requests to answers: prepared as the server does, with the grammar of tool calls, and what
// is kept between turns so that each one reads only what is new.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/flashmoe/chat_figures.h"
#include "base/cancel.h"
#include "base/progress.h"
#include "base/status.h"
#include "chat/answer.h"
#include "chat/chat_request.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "serve/served_model.h"

namespace flashmoe::cli {

struct Turn {
  Answer answer;
  TurnFigures figures;
  bool stopped = false;  // by whoever watched
};

class ChatEngine {
 public:
  // `stop` is asked while the model loads, too.
  static Result<std::unique_ptr<ChatEngine>> Load(std::unique_ptr<ModelFile> file,
                                                  EngineOptions options,
                                                  const std::function<bool()>& stop,
                                                  const ProgressFn& progress);

  using OnEvent = std::function<void(const AnswerEvent&)>;
  // Events come as the model writes. Once `stop` says so, the answer ends where it is.
  Result<Turn> Answer(const ChatRequest& request, const OnEvent& on_event);

  Engine& engine() { return *engine_; }

 private:
  ChatEngine() = default;
  // Up to where the prompt is the same as that of another request.
  int64_t SharedWith(const ChatRequest& other, const std::vector<int32_t>& prompt) const;
  Result<int64_t> GoBack(const ChatRequest& request, const std::vector<int32_t>& prompt);
  Result<int64_t> FromMark(const std::vector<int32_t>& prompt, int64_t shared);

  CancelFlag cancel_;  // of a forward pass: the engine looks at it
  std::function<bool()> stop_;
  ProgressFn progress_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ServedModel> served_;
  std::optional<Session> session_;
};

}  // namespace flashmoe::cli
